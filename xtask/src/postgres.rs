//! `cargo xtask postgres`: the tests that need a server of PostgreSQL, beside a fresh one.
//!
//! The server lives in a temporary folder and listens on a socket in there, so it meets no other one.

use std::{
    env, fs, io,
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::workspace_root;

/// What the tests find the server by.
const SERVER: &str = "POPMARKET_TEST_POSTGRES";
/// The tests, as a part of their names.
const TESTS: &str = "postgres::";
/// Those that are on a database of each kind at once, or on a server alone.
const MORE_TESTS: &str = "projector::tests::databases::";
/// Where its file says whether it is ready.
const STATUS_LINE: usize = 7;
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// Runs the chore.
pub(crate) fn main() -> ExitCode {
    match run(workspace_root()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("postgres: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(root: &Path) -> Result<(), String> {
    let programs = Programs::find_or_install()?;
    let server = Server::start(&programs)?;
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let has_nextest = Command::new(&cargo).args(["nextest", "--version"]).output();
    let has_nextest = has_nextest.is_ok_and(|output| output.status.success());
    // The same build as that of all tests: the whole workspace, of which few are run.
    let all: &[&str] = if has_nextest {
        &["nextest", "run", "--workspace", TESTS, MORE_TESTS]
    } else {
        &["test", "--workspace", "--lib", "--bins", "--tests", "--", TESTS, MORE_TESTS]
    };
    succeed(Command::new(cargo).current_dir(root).args(all).env(SERVER, server.url()))
}

fn succeed(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{program}: {status}")),
        Err(error) => Err(format!("{program}: {error}")),
    }
}

/// Where PostgreSQL's programs are.
#[derive(Debug)]
pub(crate) struct Programs {
    initdb: PathBuf,
    postgres: PathBuf,
}

impl Programs {
    /// In the folders where programs are, or where Debian keeps those of each version.
    fn find() -> Option<Self> {
        let path = env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<_> = env::split_paths(&path).collect();
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        folders.extend(versions.map(|version| version.path().join("bin")));
        Self::find_in(folders)
    }

    fn find_in(folders: impl IntoIterator<Item = PathBuf>) -> Option<Self> {
        let programs = |folder: PathBuf| {
            let both = Self { initdb: folder.join("initdb"), postgres: folder.join("postgres") };
            (both.initdb.is_file() && both.postgres.is_file()).then_some(both)
        };
        folders.into_iter().find_map(programs)
    }

    /// Where they are now.
    pub(crate) fn find_or_install() -> Result<Self, String> {
        if let Some(found) = Self::find() {
            return Ok(found);
        }
        if !is_root() || !is_there("apt-get") {
            return Err("PostgreSQL's initdb and postgres are not installed".into());
        }
        let apt_get = |arguments: &[&str]| {
            let mut command = Command::new("apt-get");
            succeed(command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
        };
        // The lists of packages may be missing or old.
        apt_get(&["update"])?;
        apt_get(&["install", "--yes", "--no-install-recommends", "postgresql"])?;
        Self::find().ok_or_else(|| "PostgreSQL's programs are not where they should be".into())
    }
}

fn is_there(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Whom the server runs as. It refuses to run as root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct User {
    uid: u32,
    gid: u32,
}

impl User {
    /// Nobody else, unless this is root.
    fn needed() -> Result<Option<Self>, String> {
        if !is_root() {
            return Ok(None);
        }
        let users = fs::read_to_string("/etc/passwd").map_err(|error| format!("/etc/passwd: {error}"))?;
        let found = ["postgres", "nobody"].into_iter().find_map(|name| Self::find(&users, name));
        found.map(Some).ok_or_else(|| "there is no user postgres for the server to run as".into())
    }

    fn find(users: &str, name: &str) -> Option<Self> {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2).map(str::parse);
        Some(Self { uid: numbers.next()?.ok()?, gid: numbers.next()?.ok()? })
    }

    fn apply(user: Option<Self>, command: &mut Command) {
        if let Some(Self { uid, gid }) = user {
            command.uid(uid).gid(gid);
        }
    }
}

/// A server that ends with this value, and its folder with it.
struct Server {
    child: Option<Child>,
    folder: PathBuf,
}

impl Server {
    fn start(programs: &Programs) -> Result<Self, String> {
        let user = User::needed()?;
        let folder = env::temp_dir().join(format!("popmarket-postgres-{}", std::process::id()));
        let mut server = Self { child: None, folder };
        server.make_folder(user).map_err(|error| format!("{}: {error}", server.folder.display()))?;
        let data = server.folder.join("data");
        let mut initdb = Command::new(&programs.initdb);
        initdb.args([
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--pgdata",
        ]);
        User::apply(user, initdb.arg(&data).current_dir(&server.folder).stdout(Stdio::null()));
        succeed(&mut initdb)?;
        let mut postgres = Command::new(&programs.postgres);
        postgres.arg("-D").arg(&data).arg("-k").arg(&server.folder);
        // Only through the socket. What a loss of power would take is of no interest.
        for setting in ["listen_addresses=", "fsync=off", "max_connections=400", "log_min_messages=fatal"] {
            postgres.args(["-c", setting]);
        }
        User::apply(user, postgres.current_dir(&server.folder).stdout(Stdio::null()));
        let started = postgres.spawn();
        server.child = Some(started.map_err(|error| format!("{}: {error}", programs.postgres.display()))?);
        server.wait_until_ready()?;
        Ok(server)
    }

    fn make_folder(&self, user: Option<User>) -> io::Result<()> {
        fs::create_dir(&self.folder)?;
        user.map_or(Ok(()), |User { uid, gid }| chown(&self.folder, Some(uid), Some(gid)))
    }

    fn url(&self) -> String {
        let host: String = self.folder.to_string_lossy().replace('%', "%25").replace(' ', "%20");
        format!("postgres://postgres@localhost/postgres?host={host}&sslmode=disable")
    }

    fn wait_until_ready(&mut self) -> Result<(), String> {
        let status = self.folder.join("data").join("postmaster.pid");
        let started = Instant::now();
        while started.elapsed() < START_LIMIT {
            if let Some(Ok(Some(status))) = self.child.as_mut().map(Child::try_wait) {
                return Err(format!("postgres ended: {status}"));
            }
            let said = fs::read_to_string(&status).unwrap_or_default();
            if said.lines().nth(STATUS_LINE).is_some_and(|status| status.trim() == "ready") {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err(format!("postgres did not start within {START_LIMIT:?}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child
            && !ends_when_asked(child)
        {
            // Nothing is left to do if this fails, too.
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Whether it has ended within a while of being asked to, whoever is still connected.
fn ends_when_asked(child: &mut Child) -> bool {
    let asked = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    let started = Instant::now();
    while asked.as_ref().is_ok_and(ExitStatus::success) && started.elapsed() < STOP_LIMIT {
        if !matches!(child.try_wait(), Ok(None)) {
            return true;
        }
        thread::sleep(Duration::from_millis(20));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_their_names() {
        let users = "root:x:0:0:root:/root:/bin/sh\npostgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\n";
        assert_eq!(User::find(users, "postgres"), Some(User { uid: 101, gid: 104 }));
        assert_eq!(User::find(users, "post"), None);
        assert_eq!(User::find("broken:x:many", "broken"), None);
    }

    #[test]
    fn programs_are_found_together_or_not_at_all() {
        let folder = env::temp_dir().join(format!("xtask-programs-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("initdb"), "").unwrap();
        assert!(Programs::find_in([folder.clone()]).is_none());
        fs::write(folder.join("postgres"), "").unwrap();
        assert!(Programs::find_in([PathBuf::from("no-such-folder"), folder.clone()]).is_some());
        fs::remove_dir_all(&folder).unwrap();
    }
}
