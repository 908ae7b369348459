use ledger::{Height, Name, PollId, PollOption, Question, Salt, UnixMillis, Vote};
use pbft_crypto::{Address, Digest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::timestamp::{Moment, rfc3339};
use crate::read_model::PollRecord;

/// A question to many.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPoll {
    /// What is asked.
    #[schema(value_type = String, max_length = 200, example = "Shall the fee be lower?")]
    pub question: Question,
    /// The answers to choose from: 2 to 32, all different.
    #[schema(value_type = Vec<String>, min_items = 2, max_items = 32)]
    pub options: Vec<PollOption>,
    /// From when on votes count. At once, if nothing is said.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub opens_at: Option<Moment>,
    /// When votes count no longer.
    #[schema(value_type = String, format = DateTime)]
    pub closes_at: Moment,
    /// Makes it a sealed poll: after `closes_at` votes are revealed until then.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub reveal_by: Option<Moment>,
    /// Whether a vote may be changed until the poll closes.
    #[serde(default)]
    pub changeable: bool,
    /// Who may vote: `"everyone"`, `"admins"`, or `{"listed": [addresses]}`.
    #[serde(default)]
    #[schema(value_type = serde_json::Value)]
    pub voters: NewCensus,
}

/// Who may vote.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewCensus {
    /// All who have an account before the poll is recorded.
    #[default]
    Everyone,
    /// All admins of now.
    Admins,
    /// Those who are named: at most 256.
    Listed(Vec<Address>),
}

/// A vote in an open poll.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Voting {
    /// The answer, counted from 0.
    pub choice: u8,
}

/// A vote in an open poll, which is named in the body.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VotingIn {
    /// Which.
    #[schema(value_type = String)]
    pub poll: PollId,
    /// The answer, counted from 0.
    pub choice: u8,
}

/// A vote in a sealed poll.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Committing {
    /// The SHA-256 of the byte 17, the text `popmarket.vote.v1`, the 32 bytes of the poll, the 32 bytes of the voter's
    /// address, the choice as one byte, and a salt of 32 random bytes.
    #[schema(value_type = String)]
    pub commitment: Digest,
}

/// What a sealed vote hides.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Revealing {
    /// The answer, counted from 0.
    pub choice: u8,
    /// What hid it: 32 bytes in hex.
    #[schema(value_type = String)]
    pub salt: Salt,
}

/// One of the answers of a poll.
#[derive(Debug, Serialize, ToSchema)]
pub struct OptionView {
    /// The answer.
    #[schema(value_type = String)]
    pub text: PollOption,
    /// How many votes count for it.
    pub votes: u64,
}

/// A poll, as it is now.
#[derive(Debug, Serialize, ToSchema)]
pub struct PollView {
    /// What names it.
    #[schema(value_type = String)]
    pub id: PollId,
    /// Who asks.
    #[schema(value_type = String)]
    pub creator: Address,
    /// The name of who asks.
    #[schema(value_type = String)]
    pub creator_name: Name,
    /// What is asked.
    #[schema(value_type = String)]
    pub question: Question,
    /// The answers.
    pub options: Vec<OptionView>,
    /// `OPEN` or `SEALED`.
    #[schema(example = "OPEN")]
    pub ballot: &'static str,
    /// `PENDING`, `VOTING`, `REVEALING` or `CLOSED`, at the time of the last block or now, whichever is later.
    #[schema(example = "VOTING")]
    pub phase: &'static str,
    /// Whether a vote may be changed until the poll closes.
    pub changeable: bool,
    /// How many are asked by name; null if everyone is who had an account before.
    pub listed: Option<u32>,
    /// From when on votes count.
    #[schema(format = DateTime)]
    pub opens_at: String,
    /// When they count no longer.
    #[schema(format = DateTime)]
    pub closes_at: String,
    /// Until when votes of a sealed poll can be revealed.
    #[schema(format = DateTime)]
    pub reveal_by: Option<String>,
    /// How many sealed votes nobody knows yet.
    pub unrevealed: u64,
    /// When it was created.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// The block that made the result final.
    #[schema(value_type = Option<u64>)]
    pub closed_height: Option<Height>,
    /// Its time.
    #[schema(format = DateTime)]
    pub closed_at: Option<String>,
}

impl PollView {
    /// At some time.
    pub fn new(record: PollRecord, now: UnixMillis) -> Self {
        let phase = record.phase(now).code();
        let options = record.options.into_iter().map(|(text, votes)| OptionView { text, votes });
        Self {
            id: record.id,
            creator: record.creator,
            creator_name: record.creator_name,
            question: record.question,
            options: options.collect(),
            ballot: if record.reveal_by.is_some() { "SEALED" } else { "OPEN" },
            phase,
            changeable: record.changeable,
            listed: record.listed,
            opens_at: rfc3339(record.opens_at),
            closes_at: rfc3339(record.closes_at),
            reveal_by: record.reveal_by.map(rfc3339),
            unrevealed: record.unrevealed,
            created_at: rfc3339(record.created_at),
            closed_height: record.closed.map(|closing| closing.height),
            closed_at: record.closed.map(|closing| rfc3339(closing.at)),
        }
    }
}

/// A poll, and how who asks stands to it.
#[derive(Debug, Serialize, ToSchema)]
pub struct PollDetails {
    /// The poll.
    #[serde(flatten)]
    pub poll: PollView,
    /// Whether who asks may vote; null for those who are not signed in.
    pub may_vote: Option<bool>,
    /// What who asks has voted, if it is known to count.
    pub choice: Option<u8>,
    /// What hides the vote of who asks.
    #[schema(value_type = Option<String>)]
    pub commitment: Option<Digest>,
}

impl PollDetails {
    /// With what the ledger says of who asks.
    pub fn new(poll: PollView, may_vote: Option<bool>, vote: Option<Vote>) -> Self {
        let (choice, commitment) = match vote {
            Some(Vote::Counted { choice }) => (Some(choice), None),
            Some(Vote::Sealed { commitment }) => (None, Some(commitment)),
            None => (None, None),
        };
        Self { poll, may_vote, choice, commitment }
    }
}

/// Polls, newest first.
pub type PollList = super::List<PollView>;
