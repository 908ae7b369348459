//! The command line of `cargo xtask test`.

use super::steps::STEPS;

pub(super) const USAGE: &str = "\
Usage: cargo xtask test [--only STEP]... [--skip STEP]...
       cargo xtask test --list

  --only STEP   Run this step and no other; may be given several times, or as a list with commas
  --skip STEP   Leave this step out; likewise
  --list        Say which steps there are

The last line counts steps: `N passed, N failed, N skipped`. Stops at the first failure.
";

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    Run(Arguments),
    List,
    Help,
}

/// Which steps to run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Arguments {
    only: Vec<String>,
    skip: Vec<String>,
}

impl Request {
    pub(super) fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut parsed = Arguments::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--help" | "-h" => return Ok(Self::Help),
                "--list" => return Ok(Self::List),
                "--only" => parsed.only.extend(steps_in(argument, rest.next())?),
                "--skip" => parsed.skip.extend(steps_in(argument, rest.next())?),
                other => return Err(format!("unknown argument: {other}")),
            }
        }
        Ok(Self::Run(parsed))
    }
}

impl Arguments {
    /// Why the command line leaves a step out, if it does.
    pub(super) fn reason_to_skip(&self, step: &str) -> Option<String> {
        let named = |list: &[String]| list.iter().any(|name| name == step);
        if named(&self.skip) {
            Some("--skip".into())
        } else if !self.only.is_empty() && !named(&self.only) {
            Some("not in --only".into())
        } else {
            None
        }
    }
}

fn steps_in(option: &str, value: Option<&String>) -> Result<Vec<String>, String> {
    let value = value.ok_or_else(|| format!("{option} needs the name of a step"))?;
    let names = value.split(',').map(str::trim);
    names
        .map(|name| match STEPS.iter().any(|step| step.name == name) {
            true => Ok(name.to_owned()),
            false => Err(format!("no step is called {name:?}: see --list")),
        })
        .collect()
}

pub(super) fn list() -> String {
    STEPS.iter().map(|step| format!("{:<12} {}\n", step.name, step.about)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Request, String> {
        Request::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    fn steps_that_run(line: &str) -> Vec<&'static str> {
        let Ok(Request::Run(arguments)) = parse(line) else { panic!("{line} is not understood") };
        STEPS.iter().map(|step| step.name).filter(|name| arguments.reason_to_skip(name).is_none()).collect()
    }

    #[test]
    fn all_steps_run_unless_told_otherwise() {
        assert_eq!(steps_that_run("").len(), STEPS.len());
        assert_eq!(steps_that_run("--only tests"), ["tests"]);
        assert_eq!(steps_that_run("--only clippy --only format,tests"), ["format", "clippy", "tests"]);
        assert_eq!(steps_that_run("--only format,tests --skip format"), ["tests"]);
        assert_eq!(steps_that_run("--skip simulator").len(), STEPS.len() - 1);
    }

    #[test]
    fn mistakes_are_refused() {
        for line in ["--only", "--skip nonsense", "--only format,", "--fast", "format"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn help_and_list_win() {
        assert_eq!(parse("--only tests --list"), Ok(Request::List));
        assert_eq!(parse("-h"), Ok(Request::Help));
        assert_eq!(list().lines().count(), STEPS.len());
    }
}
