//! Who asks: found out once for each request, from a bearer token or from the session cookie.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use ledger::Role;
use pbft_crypto::Address;

use super::code::Code;
use super::cookie;
use super::once::accounts_problem;
use super::problem::{Failed, Failure, Problem};
use super::state::AppState;
use crate::accounts_db::{Member, SessionToken};

/// Who asks.
#[derive(Clone, Default)]
pub(crate) struct Caller(Option<Arc<Identity>>);

/// Someone who is signed in.
pub(crate) struct Identity {
    /// Who.
    pub member: Member,
    /// The role of the account.
    pub role: Role,
    /// Whether it counts as an admin's.
    pub is_admin: bool,
    /// What they are signed in with.
    pub token: SessionToken,
    /// Whether a cookie did it, which browsers send along whoever makes them ask.
    pub by_cookie: bool,
}

impl Identity {
    /// The account.
    pub(crate) const fn address(&self) -> Address {
        self.member.address
    }

    /// Whether the account counts as an admin's: a frozen one does not, whatever its role.
    pub(crate) const fn is_admin(&self) -> bool {
        self.is_admin
    }
}

impl Caller {
    /// Who is signed in.
    pub(crate) fn identity(&self) -> Option<&Identity> {
        self.0.as_deref()
    }

    /// The account of who is signed in.
    pub(crate) fn address(&self) -> Option<Address> {
        self.identity().map(Identity::address)
    }

    /// Whether an admin is signed in.
    pub(crate) fn is_admin(&self) -> bool {
        self.identity().is_some_and(Identity::is_admin)
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

/// Someone who is signed in: for routes that only members may use.
#[derive(Clone)]
pub(crate) struct SignedIn(pub Arc<Identity>);

impl std::ops::Deref for SignedIn {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failed> {
        let caller = parts.extensions.get::<Caller>().and_then(|caller| caller.0.clone());
        Ok(Self(caller.ok_or_else(|| Problem::new(Code::UNAUTHENTICATED))?))
    }
}

/// Finds out who asks. A cookie that is no good any more is as none; a bearer token that is no good is a mistake.
pub(super) async fn authenticate(state: &AppState, headers: &HeaderMap) -> Result<Caller, Failure> {
    let unauthenticated = || Problem::new(Code::UNAUTHENTICATED);
    let (token, by_cookie) = match headers.get(AUTHORIZATION) {
        Some(value) => {
            let text = value.to_str().ok().and_then(|text| text.split_once(' '));
            let token = text.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
            let token = token.and_then(|(_, token)| token.trim().parse().ok());
            (token.ok_or_else(unauthenticated)?, false)
        }
        None => match cookie::session(&state.options, headers) {
            Some(token) => (token, true),
            None => return Ok(Caller::default()),
        },
    };
    let session = state.accounts.session(&token).await.map_err(accounts_problem)?;
    let Some(session) = session else {
        return if by_cookie { Ok(Caller::default()) } else { Err(unauthenticated()) };
    };
    let (role, is_admin) = role_of(state, &session.member.address);
    Ok(Caller(Some(Arc::new(Identity { member: session.member, role, is_admin, token, by_cookie }))))
}

/// The role of an account, as the ledger has it, and whether it counts as an admin's.
pub(super) fn role_of(state: &AppState, address: &Address) -> (Role, bool) {
    state.gateway.view().read(|ledger| {
        let role = ledger.account(address).map_or(Role::Member, |account| account.role);
        (role, ledger.is_admin(address))
    })
}
