//! Polls. What hides a sealed vote is kept in a file until it is shown: without it the vote does not count.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use ledger::{
    Ballot, Census, PollContent, PollId, PollOp, PollOption, PollOptions, PollTimes, Question, Salt, Voters,
    vote_commitment,
};
use pbft_crypto::{Address, Digest, KeyPair};
use serde::{Deserialize, Serialize};

use super::{Facts, values::When};
use crate::{
    commands::CommandError,
    config::{read_json, write_private},
};

/// What to ask, whom, and when.
#[derive(Debug, Args)]
pub(super) struct NewPoll {
    /// What is asked
    question: Question,
    /// An answer to choose from; at least two
    #[arg(required = true, num_args = 2..)]
    options: Vec<PollOption>,
    /// When it begins: a time, or a span from now
    #[arg(long, value_name = "TIME", default_value = "0s")]
    opens: When,
    /// When it ends
    #[arg(long, value_name = "TIME", default_value = "7d")]
    closes: When,
    /// Votes are hidden until it ends, and shown until this time
    #[arg(long, value_name = "TIME")]
    reveal_by: Option<When>,
    /// Someone who may vote, instead of everyone; may be given several times
    #[arg(long = "voter", value_name = "ADDRESS")]
    voters: Vec<Address>,
    /// A vote may be changed until it ends
    #[arg(long)]
    changeable: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum PollKind {
    /// Ask a question
    Create(NewPoll),
    /// Vote
    Vote {
        /// The poll
        poll: PollId,
        /// The answer, counted from 0
        choice: u8,
    },
    /// Vote in a sealed poll: show it with `reveal` once the poll has ended
    Commit {
        /// The poll
        poll: PollId,
        /// The answer, counted from 0
        choice: u8,
        /// The file to make with what hides the vote: keep it
        #[arg(long, value_name = "FILE")]
        secret: PathBuf,
    },
    /// Show what you have voted in a sealed poll
    Reveal {
        /// The file that `commit` has made
        #[arg(long, value_name = "FILE")]
        secret: PathBuf,
    },
    /// Close a sealed poll once all votes are shown; for who asked
    Close {
        /// The poll
        poll: PollId,
    },
}

/// A sealed vote.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Secret {
    poll: PollId,
    voter: Address,
    choice: u8,
    salt: Salt,
}

impl PollKind {
    pub(super) fn operation(self, facts: &Facts<'_>) -> Result<PollOp, CommandError> {
        Ok(match self {
            Self::Create(poll) => poll.operation(facts)?,
            Self::Vote { poll, choice } => PollOp::Vote { poll, choice },
            Self::Commit { poll, choice, secret } => {
                let salt = seal(&secret, poll, facts.sender, choice)?;
                PollOp::Commit { poll, commitment: vote_commitment(&poll, &facts.sender, choice, &salt) }
            }
            Self::Reveal { secret } => {
                let Secret { poll, voter, choice, salt } = read_json(&secret)?;
                if voter != facts.sender {
                    return Err(wrong(&secret, "the vote is another account's"));
                }
                PollOp::Reveal { poll, choice, salt }
            }
            Self::Close { poll } => PollOp::Close { poll },
        })
    }
}

/// What hides a vote, from the file of the same vote if there is one: whoever tries again must not lose it.
fn seal(file: &Path, poll: PollId, voter: Address, choice: u8) -> Result<Salt, CommandError> {
    if file.exists() {
        let kept: Secret = read_json(file)?;
        if (kept.poll, kept.voter, kept.choice) == (poll, voter, choice) {
            return Ok(kept.salt);
        }
        return Err(wrong(file, "exists, and is about another vote: choose another --secret"));
    }
    // As random as a key is.
    let salt = Salt::new(Digest::from_bytes(*KeyPair::generate().secret_bytes()));
    let text = serde_json::to_string(&Secret { poll, voter, choice, salt });
    let text = text.map_err(|error| CommandError::failed("the vote cannot be kept", error))?;
    write_private(file, text.as_bytes())?;
    Ok(salt)
}

fn wrong(file: &Path, why: &str) -> CommandError {
    CommandError::Usage(format!("{}: {why}", file.display()))
}

impl NewPoll {
    fn operation(self, facts: &Facts<'_>) -> Result<PollOp, CommandError> {
        let Self { question, options, opens, closes, reveal_by, mut voters, changeable } = self;
        let options = PollOptions::try_from(options);
        let options = options.map_err(|error| CommandError::Usage(error.to_string()))?;
        let census = if voters.is_empty() {
            Census::Everyone
        } else {
            voters.sort_unstable();
            voters.dedup();
            let voters = Voters::try_from(voters);
            Census::Listed { voters: voters.map_err(|error| CommandError::Usage(error.to_string()))? }
        };
        let ballot = reveal_by
            .map_or(Ballot::Open, |reveal_by| Ballot::Sealed { reveal_by: reveal_by.from(facts.now) });
        let times = PollTimes { opens_at: opens.from(facts.now), closes_at: closes.from(facts.now) };
        Ok(PollOp::Create { content: PollContent { question, options }, ballot, census, changeable, times })
    }
}
