//! Members.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ledger::{Name, Role, Transaction};
use pbft_crypto::{Address, Digest};
use serde::Serialize;
use utoipa::ToSchema;

use crate::accounts_db::{Member, Password};
use crate::gateway::{EnrolError, GatewayError, Recorded};
use crate::http::caller::SignedIn;
use crate::http::code::Code;
use crate::http::extract::JsonBody;
use crate::http::model::{Kind, MemberView, NewMember, Reply, ReplyStatus, SignedHex};
use crate::http::once::{RequestKey, Settled, accounts_problem, once};
use crate::http::problem::{Answer, Failure, Problem};
use crate::http::state::AppState;
use crate::http::submit::{self, Subject};

/// How long a new member waits for the account.
const ENROL_WAIT: Duration = Duration::from_secs(20);

/// A new member.
#[derive(Serialize, ToSchema)]
pub(crate) struct MemberReply {
    #[serde(flatten)]
    reply: Reply,
    /// The member.
    member: MemberView,
}

/// Become a member.
///
/// With a `name`, the server makes a key, keeps it encrypted, and signs for the member from then on. With a
/// `registration`, signed by a key of the member's own, the server never sees that key, and the member sends signed
/// transactions. Waits for the account to be on the ledger.
#[utoipa::path(post, path = "/v1/members", tag = "members", request_body = NewMember, responses(
    (status = 201, description = "The account is open.", body = MemberReply),
    (status = 202, description = "Not known yet: look the transaction up.", body = Reply),
))]
pub(super) async fn create(
    State(state): State<AppState>,
    key: RequestKey,
    body: JsonBody<NewMember>,
) -> Answer<Settled> {
    let JsonBody { value: NewMember { name, registration, password }, fingerprint } = body;
    let who = match (name, registration) {
        (Some(name), None) => Who::Custodial(name),
        (None, Some(registration)) => Who::SelfCustody(Box::new(decode(&registration, "registration")?)),
        _ => return Err(Problem::because(Code::INVALID_BODY, "either name or registration").into()),
    };
    enrol(&state, key, fingerprint, who, password.into_inner()).await
}

/// Someone who wants to be a member.
pub(crate) enum Who {
    /// Whose key we keep.
    Custodial(Name),
    /// Who has signed the opening of the account.
    SelfCustody(Box<Transaction>),
}

/// Makes someone a member, once.
pub(crate) async fn enrol(
    state: &AppState,
    key: RequestKey,
    fingerprint: Digest,
    who: Who,
    password: String,
) -> Answer<Settled> {
    let password =
        Password::new(password).map_err(|error| Problem::in_field(Code::WEAK_PASSWORD, "password", error))?;
    let work = {
        let state = state.clone();
        async move {
            let enrolled = match who {
                Who::Custodial(name) => state.gateway.enrol_custodial(name, &password, ENROL_WAIT).await,
                Who::SelfCustody(registration) => {
                    state.gateway.enrol_self_custody(*registration, &password, ENROL_WAIT).await
                }
            };
            match enrolled {
                Ok((member, recorded)) => opened(&member, &recorded),
                Err(EnrolError::Gateway(GatewayError::TimedOut { tx_id })) => {
                    submit::submitted(tx_id, Subject::New(Kind::Transaction))
                }
                Err(error) => Settled::failed(&enrol_problem(error)),
            }
        }
    };
    once(state, key, Address::from_bytes([0; 32]), fingerprint, work).await
}

fn opened(member: &Member, recorded: &Recorded) -> Settled {
    let id = member.address.to_string();
    let (kind, href) = (Kind::Account, Kind::Account.href(&id));
    let (tx_id, height) = (recorded.tx_id, Some(recorded.height.value()));
    let reply = Reply { tx_id, status: ReplyStatus::Applied, height, kind, id, href: href.clone() };
    let member = MemberView::new(member, Role::Member);
    Settled::done(StatusCode::CREATED, href, &MemberReply { reply, member })
}

fn enrol_problem(error: EnrolError) -> Failure {
    match error {
        EnrolError::Accounts(error) => accounts_problem(error),
        EnrolError::Gateway(error) => submit::problem(&error),
        EnrolError::NotARegistration => Problem::in_field(Code::INVALID_BODY, "registration", error),
    }
}

/// Reads a signed transaction.
pub(super) fn decode(SignedHex(text): &SignedHex, field: &str) -> Result<Transaction, Failure> {
    let malformed = |why: &dyn std::fmt::Display| Problem::in_field(Code::MALFORMED, field, why);
    let bytes = hex::decode(text).map_err(|error| malformed(&error))?;
    Transaction::decode(&bytes).map_err(|error| malformed(&error))
}

/// Who am I?
#[utoipa::path(get, path = "/v1/members/me", tag = "members", responses(
    (status = 200, description = "Who is signed in.", body = MemberView),
))]
pub(super) async fn me(member: SignedIn) -> Json<MemberView> {
    Json(MemberView::new(&member.member, member.role))
}
