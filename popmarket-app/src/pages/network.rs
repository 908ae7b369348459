//! The replicas: how they are, and how admins change them.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use ledger::{NewReplica, ReplicaChangeId, ReplicaEdit, ReplicaId, ReplicaOp};
use pbft_crypto::{Address, Digest};
use serde::Deserialize;

use super::form::{Form, Press, RejectForm, WAIT, done};
use super::ui::{Ui, Visitor};
use super::{form_key, page, status};
use crate::http::model::{BookEntry, EvidenceView, Kind, NetworkReport, Reply};
use crate::http::routes::{address_book, changes_from, evidence_from, read_problem};
use crate::http::timestamp::rfc3339;
use crate::http::{Answer, AppState, Code, Failure, Id, Intent, Problem, Subject};
use crate::read_model::{PageLimit, PageRequest, PageStart};

#[derive(Template)]
#[template(path = "network.html")]
struct Network {
    ui: Ui,
    report: NetworkReport,
    book: Vec<BookEntry>,
    evidence: Vec<EvidenceView>,
    changes: Vec<OpenChange>,
    /// Whether there are more than are shown.
    more_changes: bool,
    form_key: String,
    problem: Option<Failure>,
}

/// A change that waits for an admin.
struct OpenChange {
    id: String,
    proposer: String,
    words: String,
    at: String,
    /// Whether the visitor asked for it.
    own: bool,
}

pub(super) async fn show(State(state): State<AppState>, visitor: Visitor) -> Answer<Response> {
    network_page(&state, &visitor, None).await
}

async fn network_page(state: &AppState, visitor: &Visitor, problem: Option<Failure>) -> Answer<Response> {
    let report = state.network.network().await;
    let first = PageRequest { limit: PageLimit::DEFAULT, start: PageStart::First };
    let evidence = evidence_from(state, first)?.data;
    let ui = visitor.ui(state);
    let me = visitor.caller.identity().map(|identity| identity.member.address);
    let (changes, more_changes) = open_changes(state, &ui, me).await?;
    let (book, form_key, status) = (address_book(state), form_key(), status(problem.as_deref()));
    Ok(page(status, &Network { ui, report, book, evidence, changes, more_changes, form_key, problem }))
}

async fn open_changes(
    state: &AppState,
    ui: &Ui,
    me: Option<Address>,
) -> Result<(Vec<OpenChange>, bool), Failure> {
    let first = PageRequest { limit: PageLimit::DEFAULT, start: PageStart::First };
    let found = changes_from(state, Some("PROPOSED"), first)?;
    let mut changes = Vec::new();
    for (id, change) in found.items {
        let account = state.read.account(&change.proposer).await.map_err(read_problem)?;
        let proposer =
            account.map_or_else(|| change.proposer.to_string(), |account| account.name.to_string());
        let own = me == Some(change.proposer);
        let (words, at) = (in_words(ui, &change.edit), rfc3339(change.proposed_at));
        changes.push(OpenChange { id: id.to_string(), proposer, words, at, own });
    }
    Ok((changes, found.has_more))
}

fn in_words(ui: &Ui, edit: &ReplicaEdit) -> String {
    let joining = |replica: &NewReplica| {
        let NewReplica { public_key, address } = replica;
        ui.lang.fill("edit.add", &[("address", address.as_str()), ("key", &public_key.to_string())])
    };
    let leaving = |id: &ReplicaId| ui.t1("edit.remove", "id", &id.to_string());
    match edit {
        ReplicaEdit::Add { replica } => joining(replica),
        ReplicaEdit::Remove { id } => leaving(id),
        ReplicaEdit::Rotate { id, public_key } => {
            ui.lang.fill("edit.rotate", &[("id", &id.to_string()), ("key", &public_key.to_string())])
        }
        ReplicaEdit::Move { id, address } => {
            ui.lang.fill("edit.move", &[("id", &id.to_string()), ("address", address.as_str())])
        }
        ReplicaEdit::Replace { remove, add } => {
            remove.iter().map(leaving).chain(add.iter().map(joining)).collect::<Vec<_>>().join("; ")
        }
    }
}

/// The forms to ask for a change: which one it is says what of the rest counts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProposeForm {
    form_key: String,
    action: Action,
    #[serde(default)]
    id: String,
    #[serde(default)]
    public_key: String,
    #[serde(default)]
    address: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    /// One joins; those named leave in exchange.
    Add,
    Remove,
    Move,
}

impl ProposeForm {
    fn edit(&self) -> Result<ReplicaEdit, Failure> {
        Ok(match self.action {
            Action::Add => {
                let public_key = parse("public_key", &self.public_key)?;
                let replica = NewReplica { public_key, address: parse("address", &self.address)? };
                match ids(&self.id)? {
                    remove if remove.is_empty() => ReplicaEdit::Add { replica },
                    remove => ReplicaEdit::Replace { remove, add: vec![replica] },
                }
            }
            Action::Remove => ReplicaEdit::Remove { id: ReplicaId::new(parse("id", &self.id)?) },
            Action::Move => {
                let id = ReplicaId::new(parse("id", &self.id)?);
                ReplicaEdit::Move { id, address: parse("address", &self.address)? }
            }
        })
    }
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(
    field: &'static str,
    text: &str,
) -> Result<T, Failure> {
    text.trim().parse().map_err(|error| Problem::in_field(Code::INVALID_BODY, field, error))
}

/// Numbers with commas between them.
fn ids(text: &str) -> Result<Vec<ReplicaId>, Failure> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| Ok(ReplicaId::new(parse("id", part)?))).collect()
}

pub(super) async fn propose(
    State(state): State<AppState>,
    visitor: Visitor,
    intent: Intent,
    form: Form<ProposeForm>,
) -> Answer<Response> {
    let sent = async {
        let operation = ReplicaOp::Propose { edit: form.value.edit()? };
        let subject = Subject::New(Kind::ReplicaChange);
        send(&state, intent, form.value.form_key, form.fingerprint, operation, subject).await
    };
    let sent = sent.await;
    decided(&state, &visitor, sent, "proposed").await
}

pub(super) async fn approve(
    State(state): State<AppState>,
    visitor: Visitor,
    intent: Intent,
    Id(change): Id<ReplicaChangeId>,
    form: Form<Press>,
) -> Answer<Response> {
    let subject = Subject::Old(Kind::ReplicaChange, change.to_string());
    let operation = ReplicaOp::Approve { change };
    let sent = send(&state, intent, form.value.form_key, form.fingerprint, operation, subject).await;
    decided(&state, &visitor, sent, "approved").await
}

pub(super) async fn reject(
    State(state): State<AppState>,
    visitor: Visitor,
    intent: Intent,
    Id(change): Id<ReplicaChangeId>,
    form: Form<RejectForm>,
) -> Answer<Response> {
    let sent = async {
        let reason = form.value.reason()?;
        let subject = Subject::Old(Kind::ReplicaChange, change.to_string());
        let operation = ReplicaOp::Reject { change, reason };
        send(&state, intent, form.value.form_key, form.fingerprint, operation, subject).await
    };
    let sent = sent.await;
    decided(&state, &visitor, sent, "rejected").await
}

async fn send(
    state: &AppState,
    intent: Intent,
    key: String,
    fingerprint: Digest,
    operation: ReplicaOp,
    subject: Subject,
) -> Result<Reply, Failure> {
    let settled = intent.of_form(key, WAIT)?.carry_out(state, fingerprint, operation, subject).await;
    settled.map_err(|failed| failed.0)?.into_reply()
}

async fn decided(
    state: &AppState,
    visitor: &Visitor,
    sent: Result<Reply, Failure>,
    notice: &str,
) -> Answer<Response> {
    match sent {
        Ok(reply) => Ok(done(&reply, "/network", notice)),
        Err(problem) => network_page(state, visitor, Some(problem)).await,
    }
}
