//! The forms about withdrawals: on the wallet, and on the admins' page of what waits for them.

use axum::extract::State;
use axum::response::Response;
use ledger::{WithdrawalId, WithdrawalOp};

use super::form::{Form, Press, RejectForm, done};
use super::money::{MoneyForm, decided, send, wallet_page};
use super::ui::Visitor;
use crate::http::model::{Kind, Reply};
use crate::http::{Answer, AppState, Failure, Id, Intent, Subject};

pub(super) async fn request(
    State(state): State<AppState>,
    visitor: Visitor,
    intent: Intent,
    form: Form<MoneyForm>,
) -> Answer<Response> {
    let me = intent.member.address();
    let asked = async {
        let (amount, memo) = form.value.parse()?;
        let operation = WithdrawalOp::Request { amount, memo };
        let subject = Subject::New(Kind::Withdrawal);
        send(&state, intent, form.value.form_key, form.fingerprint, operation, subject).await
    };
    match asked.await {
        Ok(reply) => Ok(done(&reply, "/wallet", "withdrawal_requested")),
        Err(problem) => wallet_page(&state, &visitor, me, MoneyForm::default(), Some(problem)).await,
    }
}

pub(super) async fn void_own(
    State(state): State<AppState>,
    visitor: Visitor,
    intent: Intent,
    Id(withdrawal): Id<WithdrawalId>,
    form: Form<RejectForm>,
) -> Answer<Response> {
    let me = intent.member.address();
    match voided(&state, intent, withdrawal, form).await {
        Ok(reply) => Ok(done(&reply, "/wallet", "done")),
        Err(problem) => wallet_page(&state, &visitor, me, MoneyForm::default(), Some(problem)).await,
    }
}

pub(super) async fn void(
    State(state): State<AppState>,
    visitor: Visitor,
    intent: Intent,
    Id(withdrawal): Id<WithdrawalId>,
    form: Form<RejectForm>,
) -> Answer<Response> {
    let me = intent.member.address();
    let sent = voided(&state, intent, withdrawal, form).await;
    decided(&state, &visitor, me, sent, "rejected").await
}

async fn voided(
    state: &AppState,
    intent: Intent,
    withdrawal: WithdrawalId,
    form: Form<RejectForm>,
) -> Result<Reply, Failure> {
    let reason = form.value.reason()?;
    let subject = Subject::Old(Kind::Withdrawal, withdrawal.to_string());
    let operation = WithdrawalOp::Void { withdrawal, reason };
    send(state, intent, form.value.form_key, form.fingerprint, operation, subject).await
}

pub(super) async fn settle(
    State(state): State<AppState>,
    visitor: Visitor,
    intent: Intent,
    Id(withdrawal): Id<WithdrawalId>,
    form: Form<Press>,
) -> Answer<Response> {
    let me = intent.member.address();
    let subject = Subject::Old(Kind::Withdrawal, withdrawal.to_string());
    let operation = WithdrawalOp::Settle { withdrawal };
    let sent = send(&state, intent, form.value.form_key, form.fingerprint, operation, subject).await;
    decided(&state, &visitor, me, sent, "settled").await
}
