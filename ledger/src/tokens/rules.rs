//! Who may do what with a token.

use pbft_crypto::Address;

use super::{Allowance, Token, TokenEvent, TokenOp, TokenRejection};
use crate::accounts::spend;
use crate::amount::{Amount, TokenId};
use crate::event::EventKind;
use crate::money::{Posting, Side};
use crate::rejection::Rejection;
use crate::state::{Context, State};

type Events = Vec<EventKind>;

/// Whether it could be done now, but for what is seen when money moves.
pub(crate) fn check(state: &State, sender: Address, op: &TokenOp) -> Result<(), Rejection> {
    check_terms(state, sender, op)?;
    if uses_trust(op) {
        state.accounts.freezes.check(&sender)?;
    }
    Ok(())
}

/// What a frozen account does not do: make tokens or more of them, move what is another's, or let somebody move more of what it
/// has. To take an allowance back takes nothing from anybody.
fn uses_trust(op: &TokenOp) -> bool {
    match op {
        TokenOp::Create { .. }
        | TokenOp::Mint { .. }
        | TokenOp::TransferFrom { .. }
        | TokenOp::HandOver { .. } => true,
        TokenOp::Approve { from, to, .. } => to > from,
        TokenOp::Burn { .. } | TokenOp::Transfer { .. } => false,
    }
}

fn check_terms(state: &State, sender: Address, op: &TokenOp) -> Result<(), TokenRejection> {
    match op {
        TokenOp::Create { token, .. } if state.tokens.rows.contains(token) => {
            Err(TokenRejection::SymbolTaken)
        }
        TokenOp::Create { .. } => Ok(()),
        TokenOp::Mint { token, to, amount } => {
            let row = issued(state, sender, *token)?;
            has_amount(*amount)?;
            has_account(state, *to)?;
            is_below_cap(state, *token, row, *amount)
        }
        TokenOp::Burn { token, amount } => {
            find(state, *token)?;
            has_amount(*amount)
        }
        TokenOp::Transfer { token, to, amount } => can_go(state, *token, (sender, *to), *amount),
        TokenOp::Approve { token, spender, from, .. } => {
            find(state, *token)?;
            has_account(state, *spender)?;
            differ(sender, *spender)?;
            match state.tokens.allowance(sender, *spender, *token) {
                current if current == *from => Ok(()),
                current => Err(TokenRejection::AllowanceChanged { current }),
            }
        }
        TokenOp::TransferFrom { token, owner, to, amount } => {
            can_go(state, *token, (*owner, *to), *amount)?;
            let allowed = state.tokens.allowance(*owner, sender, *token);
            if *amount <= allowed { Ok(()) } else { Err(TokenRejection::AllowanceTooSmall { allowed }) }
        }
        TokenOp::HandOver { token, to } => {
            issued(state, sender, *token)?;
            has_account(state, *to)?;
            differ(sender, *to)
        }
    }
}

fn find(state: &State, token: TokenId) -> Result<&Token, TokenRejection> {
    state.tokens.find(&token).ok_or(TokenRejection::UnknownToken)
}

/// The token, if the sender is its issuer.
fn issued(state: &State, sender: Address, token: TokenId) -> Result<&Token, TokenRejection> {
    let row = find(state, token)?;
    if row.issuer == sender { Ok(row) } else { Err(TokenRejection::NotIssuer) }
}

const fn has_amount(amount: Amount) -> Result<(), TokenRejection> {
    if amount.is_zero() { Err(TokenRejection::ZeroAmount) } else { Ok(()) }
}

fn has_account(state: &State, address: Address) -> Result<(), TokenRejection> {
    if state.accounts.contains(&address) { Ok(()) } else { Err(TokenRejection::UnknownAccount) }
}

fn differ(one: Address, other: Address) -> Result<(), TokenRejection> {
    if one == other { Err(TokenRejection::SameAccount) } else { Ok(()) }
}

fn is_below_cap(state: &State, token: TokenId, row: &Token, amount: Amount) -> Result<(), TokenRejection> {
    let supply = state.money.supply(token.into()).circulating();
    match row.cap {
        Some(cap) if supply.checked_add(amount).is_none_or(|after| after > cap) => {
            Err(TokenRejection::CapExceeded { cap, supply })
        }
        _ => Ok(()),
    }
}

fn can_go(
    state: &State,
    token: TokenId,
    (from, to): (Address, Address),
    amount: Amount,
) -> Result<(), TokenRejection> {
    find(state, token)?;
    has_amount(amount)?;
    has_account(state, to)?;
    differ(from, to)
}

pub(crate) fn apply(
    state: &mut State,
    context: &Context,
    op: &TokenOp,
    events: &mut Events,
) -> Result<(), Rejection> {
    let sender = context.sender;
    check(state, sender, op)?;
    if let Some(posting) = posting(sender, op) {
        move_token(state, context, posting, events)?;
    }
    change(state, context, op);
    events.push(told(context, op).into());
    Ok(())
}

/// What somebody had counts as spent by them, whoever moves it.
fn move_token(
    state: &mut State,
    context: &Context,
    posting: Posting,
    events: &mut Events,
) -> Result<(), Rejection> {
    let Side::Available(owner) = posting.from else {
        return Ok(state.money.post(&[posting], events)?);
    };
    spend(state, context.now, owner, (posting.asset, posting.amount), &[posting], events)
}

/// How the token moves.
fn posting(sender: Address, op: &TokenOp) -> Option<Posting> {
    let (token, amount, from, to) = match op {
        TokenOp::Mint { token, to, amount } => (token, amount, Side::Issuer, Side::Available(*to)),
        TokenOp::Burn { token, amount } => (token, amount, Side::Available(sender), Side::Issuer),
        TokenOp::Transfer { token, to, amount } => {
            (token, amount, Side::Available(sender), Side::Available(*to))
        }
        TokenOp::TransferFrom { token, owner, to, amount } => {
            (token, amount, Side::Available(*owner), Side::Available(*to))
        }
        TokenOp::Create { .. } | TokenOp::Approve { .. } | TokenOp::HandOver { .. } => return None,
    };
    Some(Posting { asset: (*token).into(), amount: *amount, from, to })
}

/// Writes the rows. All was checked.
fn change(state: &mut State, context: &Context, op: &TokenOp) {
    let (sender, created_at) = (context.sender, context.now);
    let tokens = &mut state.tokens;
    match op {
        TokenOp::Create { token, name, decimals, cap } => {
            let (name, decimals, cap) = (name.clone(), *decimals, *cap);
            tokens.rows.put(*token, Token { issuer: sender, name, decimals, cap, created_at });
        }
        TokenOp::Approve { token, spender, to, .. } => {
            tokens.allowances.put((sender, *spender, *token), Allowance { amount: *to });
        }
        TokenOp::TransferFrom { token, owner, amount, .. } => {
            let allowed = tokens.allowance(*owner, sender, *token);
            let amount = allowed.checked_sub(*amount).unwrap_or(Amount::ZERO);
            tokens.allowances.put((*owner, sender, *token), Allowance { amount });
        }
        TokenOp::HandOver { token, to } => {
            if let Some(row) = tokens.find(token).cloned() {
                tokens.rows.put(*token, Token { issuer: *to, ..row });
            }
        }
        TokenOp::Mint { .. } | TokenOp::Burn { .. } | TokenOp::Transfer { .. } => {}
    }
}

fn told(context: &Context, op: &TokenOp) -> TokenEvent {
    let (sender, at) = (context.sender, context.now);
    match op.clone() {
        TokenOp::Create { token, name, decimals, cap } => {
            TokenEvent::Created { token, issuer: sender, name, decimals, cap, at }
        }
        TokenOp::Mint { token, to, amount } => TokenEvent::Minted { token, issuer: sender, to, amount, at },
        TokenOp::Burn { token, amount } => TokenEvent::Burned { token, owner: sender, amount, at },
        TokenOp::Transfer { token, to, amount } => {
            TokenEvent::Transferred { token, from: sender, to, amount, spender: None, at }
        }
        TokenOp::Approve { token, spender, from: before, to: after } => {
            TokenEvent::Approved { token, owner: sender, spender, before, after, at }
        }
        TokenOp::TransferFrom { token, owner: from, to, amount } => {
            TokenEvent::Transferred { token, from, to, amount, spender: Some(sender), at }
        }
        TokenOp::HandOver { token, to } => TokenEvent::HandedOver { token, from: sender, to, at },
    }
}
