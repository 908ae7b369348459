//! A command, as it is run and as it is shown.

use std::{fmt, path::Path, process::Command};

/// A program with its arguments and what it finds in its environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Invocation {
    program: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Invocation {
    pub(super) fn cargo(arguments: &[&str]) -> Self {
        Self::program("cargo", arguments)
    }

    pub(super) fn program(program: &str, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Self { program: program.into(), arguments, environment: Vec::new() }
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs it in a folder, with this process's output.
    pub(super) fn run(&self, folder: &Path) -> Result<(), String> {
        let status = self.command().current_dir(folder).status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("{self}: {status}")),
            Err(error) => Err(format!("{self}: {error}")),
        }
    }

    /// Whether it runs at all, for instance because a subcommand of cargo is installed.
    pub(super) fn works(&self) -> bool {
        self.command().output().is_ok_and(|output| output.status.success())
    }

    fn command(&self) -> Command {
        // The same cargo that runs this program.
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let mut command = Command::new(if self.program == "cargo" { &cargo } else { &self.program });
        command.args(&self.arguments).envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl fmt::Display for Invocation {
    /// As a line that a shell takes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.environment {
            write!(f, "{name}={} ", quoted(value))?;
        }
        write!(f, "{}", self.program)?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {}", quoted(argument)))
    }
}

fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=./:".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_shown_as_a_shell_takes_it() {
        let invocation = Invocation::cargo(&["doc", "--no-deps", "it's"]).with("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(invocation.to_string(), r"RUSTDOCFLAGS='-D warnings' cargo doc --no-deps 'it'\''s'");
    }

    #[test]
    fn failures_are_told_from_success() {
        let here = Path::new(".");
        assert!(Invocation::cargo(&["--version"]).works());
        assert!(!Invocation::cargo(&["no-such-subcommand"]).works());
        assert!(Invocation::cargo(&["no-such-subcommand"]).run(here).is_err());
        assert!(Invocation::program("no-such-program", &[]).run(here).is_err());
    }
}
