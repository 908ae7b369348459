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
use crate::gateway::{EnrolError, GatewayError, Proof, Recorded};
use crate::http::caller::SignedIn;
use crate::http::code::Code;
use crate::http::extract::JsonBody;
use crate::http::model::{Kind, MemberView, NewMember, Reply, ReplyStatus, SignedHex};
use crate::http::once::{RequestKey, Settled, accounts_problem, once};
use crate::http::pipeline::limit;
use crate::http::problem::{Answer, Failure, Problem};
use crate::http::rate_limit::{Client, Kind as Cost};
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
/// With a `name`, the server makes a key, keeps it encrypted, and signs for the member from then on; with a `wallet` it
/// takes the key that `POST /v1/wallets` made. With a `registration`, signed by a key of the member's own, the server never
/// sees that key, and the member sends signed transactions. Since everyone can read a registration on the chain, its
/// `client_ref` is the first half of the SHA-256 of the `proof`, which its signer alone knows. Waits for the account to be
/// on the ledger. Interrupted, the same request with the same password goes on.
#[utoipa::path(post, path = "/v1/members", tag = "members", request_body = NewMember, responses(
    (status = 201, description = "The account is open.", body = MemberReply),
    (status = 202, description = "Not known yet: look the transaction up.", body = Reply),
))]
pub(super) async fn create(
    State(state): State<AppState>,
    key: RequestKey,
    body: JsonBody<NewMember>,
) -> Answer<Settled> {
    let JsonBody { value: NewMember { name, wallet, registration, proof, password }, fingerprint } = body;
    let who = match (name, wallet, registration) {
        (Some(name), None, None) => Who::Custodial(name),
        (Some(name), Some(wallet), None) => Who::Wallet(name, wallet),
        (None, None, Some(registration)) => {
            let registration = Box::new(decode(&registration, "registration")?);
            let missing = || Problem::in_field(Code::INVALID_BODY, "proof", "needed with a registration");
            Who::SelfCustody(registration, proof.ok_or_else(missing)?)
        }
        _ => return Err(Problem::because(Code::INVALID_BODY, "either name or registration").into()),
    };
    enrol(&state, key, fingerprint, who, password.into_inner()).await
}

/// Someone who wants to be a member.
pub(crate) enum Who {
    /// Whose key we keep.
    Custodial(Name),
    /// Whose key we keep already.
    Wallet(Name, Address),
    /// Who has signed the opening of the account, and can prove it.
    SelfCustody(Box<Transaction>, Digest),
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
    if let Who::Custodial(name) | Who::Wallet(name, _) = &who {
        limit(state, Client::Name(name.folded()), Cost::Password)?;
    }
    let work = {
        let state = state.clone();
        async move {
            let enrolled = match who {
                Who::Custodial(name) => state.gateway.enrol_custodial(name, &password, ENROL_WAIT).await,
                Who::Wallet(name, wallet) => {
                    state.gateway.enrol_wallet(name, wallet, &password, ENROL_WAIT).await
                }
                Who::SelfCustody(registration, proof) => {
                    let proof = Proof::from_bytes(*proof.as_bytes());
                    state.gateway.enrol_self_custody(*registration, &proof, &password, ENROL_WAIT).await
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
    let stranger = key.stranger();
    once(state, key, stranger, fingerprint, work).await
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
        EnrolError::NotProven => Problem::in_field(Code::INVALID_BODY, "proof", error),
        EnrolError::UnknownWallet => Problem::in_field(Code::INVALID_BODY, "wallet", error),
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
