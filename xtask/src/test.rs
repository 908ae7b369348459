//! `cargo xtask test`: every check of this workspace, one after the other, with a table at the end.

mod arguments;
mod invocation;
mod python;
mod report;
mod steps;

use std::{path::Path, process::ExitCode, time::Instant};

use arguments::{Arguments, Request};
use report::{Outcome, Report};
use steps::{Plan, STEPS, Step};

use crate::workspace_root;

/// Runs the chore with its command line.
pub(crate) fn main(arguments: &[String]) -> ExitCode {
    match Request::parse(arguments) {
        Ok(Request::Help) => print!("{}", arguments::USAGE),
        Ok(Request::List) => print!("{}", arguments::list()),
        Ok(Request::Run(arguments)) => return run(&arguments),
        Err(error) => {
            eprint!("{error}\n\n{}", arguments::USAGE);
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn run(arguments: &Arguments) -> ExitCode {
    let root = workspace_root();
    let mut report = Report::default();
    for (index, step) in STEPS.iter().enumerate() {
        if let Some(reason) = arguments.reason_to_skip(step.name) {
            report.add(step, Outcome::Skipped(reason));
        } else if report.failed() {
            report.add(step, Outcome::Skipped("a step before it failed".into()));
        } else {
            println!("\n== {}/{} {}: {}", index + 1, STEPS.len(), step.name, step.about);
            report.add(step, carry_out(step, root));
        }
    }
    println!("\n{report}");
    if report.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn carry_out(step: &Step, root: &Path) -> Outcome {
    let invocations = match (step.plan)(root) {
        Plan::Run(invocations) => invocations,
        Plan::Skip(reason) => {
            println!("skipped: {reason}");
            return Outcome::Skipped(reason);
        }
    };
    let started = Instant::now();
    for invocation in &invocations {
        println!("$ {invocation}");
        if let Err(reason) = invocation.run(root) {
            let (took, repeat) = (started.elapsed(), invocation.to_string());
            println!("\nFAILED: {reason}\nTo repeat it alone:\n    {repeat}");
            return Outcome::Failed { took, repeat };
        }
    }
    Outcome::Passed { took: started.elapsed() }
}
