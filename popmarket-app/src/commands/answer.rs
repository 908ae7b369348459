//! What a command says at the end: to people or, with `--json`, as one object to programs.

use std::{
    fmt,
    io::{self, ErrorKind, Write},
};

use serde_json::{Value, json};

use super::CommandError;

/// A line on standard output.
pub(super) fn line(words: fmt::Arguments<'_>) -> Result<(), CommandError> {
    written(writeln!(io::stdout(), "{words}"))
}

/// For what is done all the same if it cannot be said.
pub(super) fn or_complain(said: Result<(), CommandError>) {
    if let Err(error) = said {
        complain!("popmarket: {error}");
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
    /// Whether something is on the chain or on this disk now: it must not look as if it were not because it cannot be told.
    pub(super) is_done: bool,
}

impl Answer {
    pub(super) fn new(json: Value, words: impl Into<String>) -> Self {
        Self { json, words: words.into(), failure: None, is_done: false }
    }

    /// Of what is done, whether or not it can be told.
    pub(super) fn done(json: Value, words: impl Into<String>) -> Self {
        Self { is_done: true, ..Self::new(json, words) }
    }
}

/// Says it on standard output. What went wrong is left to be said on standard error.
pub(super) fn give(answer: Result<Answer, CommandError>, as_json: bool) -> Result<(), CommandError> {
    match answer {
        Ok(Answer { json, words, failure, is_done }) => {
            let said = match as_json {
                true => say!("{json}"),
                false if words.is_empty() => Ok(()),
                false => say!("{words}"),
            };
            if failure.is_none() && !is_done {
                return said;
            }
            or_complain(said);
            failure.map_or(Ok(()), Err)
        }
        Err(error) => {
            if as_json {
                mention!("{}", json!({ "status": "ERROR", "detail": error.to_string() }));
            }
            Err(error)
        }
    }
}
