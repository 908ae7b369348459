//! Where tables are: a file of SQLite, or a database of a PostgreSQL server. Never shows a password.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnectOptions;
use thiserror::Error;

/// A database as an operator names it: `postgres://user@host/name`, or a file. May hold a password, so it is shown to
/// nobody, and reading it never fails: whoever reports a failure shows what was there.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl From<String> for DatabaseUrl {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(..)")
    }
}

/// Why a text names no database. Says nothing of the text, in which there may be a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotADatabase {
    /// It begins as PostgreSQL's do, and goes on otherwise.
    #[error(
        "not a URL of PostgreSQL: postgres://USER@HOST:PORT/DATABASE, with characters such as @ / ? as %40 %2F %3F"
    )]
    Url,
    /// It has a parameter that is not known.
    #[error("a URL of PostgreSQL with a parameter that is not one of: {}", PARAMETERS.join(", "))]
    Parameter,
    /// It is of another kind of database.
    #[error("neither a URL of PostgreSQL (postgres://...) nor a file")]
    Kind,
}

/// What may stand behind the question mark. The driver would log others, whatever they are.
const PARAMETERS: [&str; 9] =
    ["sslmode", "sslrootcert", "sslcert", "sslkey", "host", "port", "dbname", "user", "options"];

/// Where tables are.
#[derive(Clone)]
pub enum DatabasePlace {
    /// A file.
    Sqlite(PathBuf),
    /// On a server.
    Postgres(Box<PgConnectOptions>),
}

impl DatabaseUrl {
    /// What it names; files are looked for from a folder on.
    ///
    /// # Errors
    /// [`NotADatabase`].
    pub fn place(&self, folder: &Path) -> Result<DatabasePlace, NotADatabase> {
        let text = self.0.as_str();
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            check_parameters(text)?;
            let options = PgConnectOptions::from_str(text).map_err(|_| NotADatabase::Url)?;
            return Ok(DatabasePlace::Postgres(Box::new(options.application_name("popmarket"))));
        }
        let file = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:")).unwrap_or(text);
        if file.is_empty() || file.contains("://") {
            return Err(NotADatabase::Kind);
        }
        Ok(DatabasePlace::Sqlite(folder.join(file)))
    }
}

fn check_parameters(url: &str) -> Result<(), NotADatabase> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let known = form_urlencoded::parse(query.as_bytes()).all(|(key, _)| PARAMETERS.contains(&key.as_ref()));
    if known { Ok(()) } else { Err(NotADatabase::Parameter) }
}

impl fmt::Display for DatabasePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(file) => write!(f, "{}", file.display()),
            Self::Postgres(options) => {
                write!(f, "postgres://{}@", options.get_username())?;
                match options.get_socket() {
                    Some(socket) => write!(f, "{}", socket.display())?,
                    None => write!(f, "{}:{}", options.get_host(), options.get_port())?,
                }
                write!(f, "/{}", options.get_database().unwrap_or(options.get_username()))
            }
        }
    }
}

impl fmt::Debug for DatabasePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabasePlace({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Result<DatabasePlace, NotADatabase> {
        DatabaseUrl::from(text.to_owned()).place(Path::new("/data"))
    }

    #[test]
    fn files_are_below_the_folder() {
        for (text, file) in [("a.db", "/data/a.db"), ("sqlite:a.db", "/data/a.db"), ("/b/a.db", "/b/a.db")] {
            assert_eq!(place(text).unwrap().to_string(), file);
        }
        for text in ["", "sqlite:", "mysql://user:secret@host/a"] {
            assert_eq!(place(text).unwrap_err(), NotADatabase::Kind, "{text}");
        }
    }

    #[test]
    fn no_password_is_shown() {
        let text = "postgres://shop:s3cret@db.example:5433/market?sslmode=require";
        let url = DatabaseUrl::from(text.to_owned());
        let found = url.place(Path::new(".")).unwrap();
        assert_eq!(found.to_string(), "postgres://shop@db.example:5433/market");
        for shown in [format!("{url:?}"), format!("{found:?}"), format!("{found}")] {
            assert!(!shown.contains("s3cret"), "{shown}");
        }
        for broken in ["postgres://shop:s3cret@host:port/market", "postgres://h/m?pasword=s3cret"] {
            let error = place(broken).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        }
        assert_eq!(place("postgres://h/m?pasword=s3cret").unwrap_err(), NotADatabase::Parameter);
    }
}
