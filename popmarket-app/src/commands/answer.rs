//! What a command says at the end: to people or, with `--json`, as one object to programs.

use std::{
    fmt,
    io::{self, ErrorKind, Write},
};

use serde_json::{Value, json};

use super::CommandError;

/// A line on standard output. What the command does is done all the same if it cannot be written.
pub(super) fn line(words: fmt::Arguments<'_>) {
    if let Err(error) = written(writeln!(io::stdout(), "{words}")) {
        eprintln!("popmarket: {error}");
    }
}

/// Nothing is wrong if nobody wants to read it any more.
pub(super) fn written(result: io::Result<()>) -> Result<(), CommandError> {
    match result {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(CommandError::failed("standard output cannot be written", error))
        }
        _ => Ok(()),
    }
}

/// What came of a command.
#[derive(Debug)]
pub(super) struct Answer {
    /// For programs.
    pub(super) json: Value,
    /// For people.
    pub(super) words: String,
    /// If it did not succeed, although there is something to say.
    pub(super) failure: Option<CommandError>,
}

impl Answer {
    pub(super) fn new(json: Value, words: impl Into<String>) -> Self {
        Self { json, words: words.into(), failure: None }
    }
}

/// Says it on standard output. What went wrong is left to be said on standard error.
pub(super) fn give(answer: Result<Answer, CommandError>, as_json: bool) -> Result<(), CommandError> {
    match answer {
        Ok(Answer { json, words, failure }) => {
            if as_json {
                say!("{json}");
            } else if !words.is_empty() {
                say!("{words}");
            }
            failure.map_or(Ok(()), Err)
        }
        Err(error) => {
            if as_json {
                say!("{}", json!({ "status": "ERROR", "detail": error.to_string() }));
            }
            Err(error)
        }
    }
}
