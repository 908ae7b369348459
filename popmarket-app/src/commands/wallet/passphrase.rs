//! Passphrases: from a prompt that does not show them, or from a file. Never from the command line, which every user of
//! the machine can see.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use clap::Args;
use console::Term;
use zeroize::Zeroizing;

use crate::commands::CommandError;

/// Shorter ones are too easy to guess for whoever gets the file.
const LEAST_CHARS: usize = 8;
/// No passphrase is longer.
const MOST_BYTES: u64 = 1024;

/// Where the passphrase comes from.
#[derive(Debug, Args)]
pub(in crate::commands) struct PassphraseArgs {
    /// The wallet's passphrase in a file, instead of asking for it
    #[arg(long, env = "POPMARKET_PASSPHRASE_FILE", value_name = "FILE", global = true)]
    passphrase_file: Option<PathBuf>,
}

impl PassphraseArgs {
    /// From this file, or else from a prompt.
    pub(in crate::commands) fn from_file(file: Option<PathBuf>) -> Self {
        Self { passphrase_file: file }
    }

    /// A passphrase that there is already.
    pub(in crate::commands) fn ask(&self, what: &str) -> Result<Zeroizing<String>, CommandError> {
        match &self.passphrase_file {
            Some(file) => read(file),
            None => prompt(what),
        }
    }

    /// A new one: long enough, and typed twice.
    pub(super) fn choose(&self, what: &str) -> Result<Zeroizing<String>, CommandError> {
        let passphrase = self.ask(what)?;
        if passphrase.chars().count() < LEAST_CHARS {
            return Err(CommandError::Usage(format!("a passphrase has at least {LEAST_CHARS} characters")));
        }
        if self.passphrase_file.is_none() && *prompt("The same again")? != *passphrase {
            return Err(CommandError::Usage("the two passphrases differ".into()));
        }
        Ok(passphrase)
    }
}

fn prompt(what: &str) -> Result<Zeroizing<String>, CommandError> {
    let terminal = Term::stderr();
    if !terminal.is_term() {
        return Err(CommandError::Usage(
            "there is no terminal to ask for the passphrase: give it with --passphrase-file".into(),
        ));
    }
    let failed = |error| CommandError::failed("the passphrase cannot be read", error);
    terminal.write_str(&format!("{what}: ")).map_err(failed)?;
    terminal.read_secure_line().map(Zeroizing::new).map_err(failed)
}

/// The file's first line.
fn read(path: &Path) -> Result<Zeroizing<String>, CommandError> {
    let mut text = Zeroizing::new(String::new());
    let read = File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_string(&mut text));
    let wrong = |why: &dyn std::fmt::Display| CommandError::Usage(format!("{}: {why}", path.display()));
    read.map_err(|error| wrong(&error))?;
    if text.len() as u64 > MOST_BYTES {
        return Err(wrong(&format_args!("a passphrase has at most {MOST_BYTES} bytes")));
    }
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::TemporaryFolder;

    #[test]
    fn a_passphrase_is_the_first_line_of_its_file() {
        let folder = TemporaryFolder::new("popmarket-test").unwrap();
        let path = folder.path().join("passphrase");
        let read_back = |text: &str| {
            std::fs::write(&path, text).unwrap();
            PassphraseArgs::from_file(Some(path.clone())).choose("it").map(|text| text.to_string())
        };
        for text in ["correct horse", "correct horse\n", "correct horse\r\n", "correct horse\nnot this"] {
            assert_eq!(read_back(text).unwrap(), "correct horse", "{text:?}");
        }
        assert_eq!(read_back("여덟 글자인 암호").unwrap(), "여덟 글자인 암호");
        for bad in ["", "short", "\ncorrect horse", &"x".repeat(1025)] {
            assert!(matches!(read_back(bad), Err(CommandError::Usage(_))), "{bad:?}");
        }
    }
}
