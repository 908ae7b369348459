//! Polls, open and sealed.

use axum::Json;
use axum::extract::State;
use ledger::{Ballot, Census, PollContent, PollId, PollOp, PollOptions, PollTimes, UnixMillis, Voters};
use pbft_crypto::{Address, Digest};
use serde::Deserialize;
use utoipa::IntoParams;

use super::read_problem;
use crate::http::caller::Caller;
use crate::http::code::Code;
use crate::http::cursor::{page, parsed};
use crate::http::extract::{Id, JsonBody, Nothing, OptionalBody, Query};
use crate::http::model::{
    Committing, Kind, List, NewCensus, NewPoll, PollDetails, PollList, PollView, Reply, Revealing, Voting,
    VotingIn,
};
use crate::http::once::Settled;
use crate::http::preflight;
use crate::http::problem::{Answer, Failure, Problem};
use crate::http::state::AppState;
use crate::http::submit::{Intent, Subject};
use crate::read_model::PollQuery;

/// Ask a question.
///
/// Who may vote is settled when the poll is recorded. With `reveal_by` the poll is sealed: members commit to a choice with
/// a hash, and reveal it after `closes_at`.
#[utoipa::path(post, path = "/v1/polls", tag = "polls", request_body = NewPoll, responses(
    (status = 201, description = "It is recorded.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn create(
    State(state): State<AppState>,
    intent: Intent,
    body: JsonBody<NewPoll>,
) -> Answer<Settled> {
    let NewPoll { question, options, opens_at, closes_at, reveal_by, changeable, voters } = body.value;
    let options = PollOptions::try_from(options).map_err(|error| invalid("options", error))?;
    let census = census(&state, voters)?;
    let operation = PollOp::Create {
        content: PollContent { question, options },
        ballot: reveal_by.map_or(Ballot::Open, |at| Ballot::Sealed { reveal_by: at.0 }),
        census,
        changeable,
        times: PollTimes {
            opens_at: opens_at.map_or(UnixMillis::default(), |at| at.0),
            closes_at: closes_at.0,
        },
    };
    intent.carry_out(&state, body.fingerprint, operation, Subject::New(Kind::Poll)).await
}

fn invalid(field: &str, error: impl ToString) -> Failure {
    Problem::in_field(Code::INVALID_BODY, field, error)
}

fn census(state: &AppState, voters: NewCensus) -> Result<Census, Failure> {
    let mut voters: Vec<Address> = match voters {
        NewCensus::Everyone => return Ok(Census::Everyone),
        NewCensus::Listed(voters) => voters,
        NewCensus::Admins => state.gateway.view().read(|ledger| ledger.admins().copied().collect()),
    };
    voters.sort_unstable();
    voters.dedup();
    let voters = Voters::try_from(voters).map_err(|error| invalid("voters", error))?;
    Ok(Census::Listed { voters })
}

/// Which polls.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PollsQuery {
    /// `true`: only those that are not over. `false`: only those that are.
    running: Option<bool>,
    /// Only those of this account.
    creator: Option<String>,
    /// How many items, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// The id of the item before the first one wanted.
    starting_after: Option<String>,
    /// The id of the item after the last one wanted.
    ending_before: Option<String>,
}

/// Polls, newest first.
#[utoipa::path(get, path = "/v1/polls", tag = "polls", params(PollsQuery), responses(
    (status = 200, description = "A part of the list.", body = List<PollView>),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    Query(query): Query<PollsQuery>,
) -> Answer<Json<PollList>> {
    let now = state.now();
    let creator: Option<Address> = parsed("creator", query.creator)?;
    let start = page::<PollId>(
        query.limit,
        parsed("starting_after", query.starting_after)?,
        parsed("ending_before", query.ending_before)?,
    )?;
    let query = PollQuery { creator, running_at: query.running.map(|running| (running, now)) };
    let page = state.read.polls(query, start).await.map_err(read_problem)?;
    Ok(Json(List::of(page, |record| PollView::new(record, now))))
}

/// A poll with its votes so far, and how who asks stands to it.
#[utoipa::path(get, path = "/v1/polls/{id}", tag = "polls", params(("id" = String, Path, description = "The poll.")), responses(
    (status = 200, description = "The poll.", body = PollDetails),
))]
pub(super) async fn show(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id<PollId>,
) -> Answer<Json<PollDetails>> {
    let record = state.read.poll(&id).await.map_err(read_problem)?;
    let record = record.ok_or_else(|| Problem::new(Code::UNKNOWN_POLL))?;
    let poll = PollView::new(record, state.now());
    let Some(me) = caller.address() else {
        return Ok(Json(PollDetails::new(poll, None, None)));
    };
    let (may_vote, vote) = state.gateway.view().read(|ledger| {
        let is_asked = |row| preflight::is_asked(ledger, &id, row, &me);
        (ledger.poll(&id).is_some_and(is_asked), ledger.vote(&id, &me))
    });
    Ok(Json(PollDetails::new(poll, Some(may_vote), vote)))
}

/// Vote in an open poll.
#[utoipa::path(post, path = "/v1/polls/{id}/votes", tag = "polls", params(("id" = String, Path, description = "The poll.")), request_body = Voting, responses(
    (status = 201, description = "The vote counts.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn vote(
    State(state): State<AppState>,
    intent: Intent,
    Id(poll): Id<PollId>,
    body: JsonBody<Voting>,
) -> Answer<Settled> {
    cast(&state, intent, poll, body.value.choice).await
}

/// Vote in an open poll: the same as `POST /v1/polls/{id}/votes`.
#[utoipa::path(post, path = "/vote", tag = "polls", request_body = VotingIn, responses(
    (status = 201, description = "The vote counts.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn vote_by_alias(
    State(state): State<AppState>,
    intent: Intent,
    body: JsonBody<VotingIn>,
) -> Answer<Settled> {
    let VotingIn { poll, choice } = body.value;
    cast(&state, intent, poll, choice).await
}

/// The alias is the same request as the route, so that a key which was used at one of them is used at the other.
async fn cast(state: &AppState, intent: Intent, poll: PollId, choice: u8) -> Answer<Settled> {
    let intent = intent.at(&format!("/v1/polls/{poll}/votes"));
    let fingerprint = pbft_crypto::sha256(format!("{poll} {choice}").as_bytes());
    carry_out(state, intent, fingerprint, poll, PollOp::Vote { poll, choice }).await
}

/// Vote in a sealed poll.
#[utoipa::path(post, path = "/v1/polls/{id}/commit", tag = "polls", params(("id" = String, Path, description = "The poll.")), request_body = Committing, responses(
    (status = 201, description = "The vote is recorded.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn commit(
    State(state): State<AppState>,
    intent: Intent,
    Id(poll): Id<PollId>,
    body: JsonBody<Committing>,
) -> Answer<Settled> {
    let operation = PollOp::Commit { poll, commitment: body.value.commitment };
    carry_out(&state, intent, body.fingerprint, poll, operation).await
}

/// Show what one has voted in a sealed poll, so that it counts.
#[utoipa::path(post, path = "/v1/polls/{id}/reveal", tag = "polls", params(("id" = String, Path, description = "The poll.")), request_body = Revealing, responses(
    (status = 201, description = "The vote counts.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn reveal(
    State(state): State<AppState>,
    intent: Intent,
    Id(poll): Id<PollId>,
    body: JsonBody<Revealing>,
) -> Answer<Settled> {
    let Revealing { choice, salt } = body.value;
    carry_out(&state, intent, body.fingerprint, poll, PollOp::Reveal { poll, choice, salt }).await
}

/// Close a sealed poll early, once all its votes are revealed. By who asked.
#[utoipa::path(post, path = "/v1/polls/{id}/close", tag = "polls", params(("id" = String, Path, description = "The poll.")), responses(
    (status = 201, description = "The result is final.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn close(
    State(state): State<AppState>,
    intent: Intent,
    Id(poll): Id<PollId>,
    body: OptionalBody<Nothing>,
) -> Answer<Settled> {
    carry_out(&state, intent, body.fingerprint, poll, PollOp::Close { poll }).await
}

async fn carry_out(
    state: &AppState,
    intent: Intent,
    fingerprint: Digest,
    poll: PollId,
    operation: PollOp,
) -> Answer<Settled> {
    let subject = Subject::Old(Kind::Poll, poll.to_string());
    intent.carry_out(state, fingerprint, operation, subject).await
}
