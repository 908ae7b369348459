//! What a command says at the end: to people or, with `--json`, as one object to programs.

use serde_json::{Value, json};

use super::CommandError;

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
                println!("{json}");
            } else if !words.is_empty() {
                println!("{words}");
            }
            failure.map_or(Ok(()), Err)
        }
        Err(error) => {
            if as_json {
                println!("{}", json!({ "status": "ERROR", "detail": error.to_string() }));
            }
            Err(error)
        }
    }
}
