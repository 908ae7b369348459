//! What events say about payments.

use ledger::{Amount, AssetId, Memo, PaymentEvent, PaymentId, Reference, TxId, UnixMillis};
use pbft_crypto::Address;

use super::{Done, To};
use crate::read_model::Position;
use crate::sql::{Col, either, insert};

/// A payment as it begins.
struct Begun<'a> {
    tx: TxId,
    from: &'a Address,
    to: &'a Address,
    asset: AssetId,
    amount: Amount,
    reference: Option<&'a Reference>,
    memo: &'a Memo,
    /// Of one that is held.
    until: Option<UnixMillis>,
    at: UnixMillis,
}

impl<'a> Begun<'a> {
    fn of(event: &'a PaymentEvent) -> Option<Self> {
        let (tx, from, to, asset, amount, reference, memo, until, at) = match event {
            PaymentEvent::Paid { tx, from, to, asset, amount, reference, memo, at } => {
                (*tx, from, to, *asset, *amount, reference, memo, None, *at)
            }
            PaymentEvent::Authorized { payment, from, to, asset, amount, reference, memo, until, at } => {
                (TxId::new(*payment.digest()), from, to, *asset, *amount, reference, memo, Some(*until), *at)
            }
            PaymentEvent::Captured { .. } | PaymentEvent::Voided { .. } | PaymentEvent::Refunded { .. } => {
                return None;
            }
        };
        Some(Self { tx, from, to, asset, amount, reference: reference.as_ref(), memo, until, at })
    }

    const fn status(&self) -> &'static str {
        if self.until.is_some() { "AUTHORIZED" } else { "PAID" }
    }

    fn paid(&self) -> Amount {
        if self.until.is_some() { Amount::ZERO } else { self.amount }
    }
}

/// New payments in as few statements as possible, and then what became of payments.
pub(super) async fn write(to: &mut To<'_>, events: &[(Position, PaymentEvent)]) -> Done {
    let table = "payments (tx, position, payer, payee, asset, amount, reference, memo, at, status, until, paid, \
                 refunded, updated_at)";
    let begun = events.iter().filter_map(|(position, event)| Some((*position, Begun::of(event)?)));
    let begun: Vec<_> = begun.collect();
    insert(to, table, 14, "", begun, |mut row, (position, begun)| {
        row.push_bind(Col(begun.tx)).push_bind(Col(position)).push_bind(Col(*begun.from));
        row.push_bind(Col(*begun.to)).push_bind(Col(begun.asset)).push_bind(Col(begun.amount));
        row.push_bind(begun.reference.cloned().map(Col)).push_bind(Col(begun.memo.clone()));
        row.push_bind(Col(begun.at)).push_bind(begun.status()).push_bind(begun.until.map(Col));
        row.push_bind(Col(begun.paid())).push_bind(Col(Amount::ZERO)).push_bind(Col(begun.at));
    })
    .await?;
    for (_, event) in events {
        match event {
            PaymentEvent::Paid { .. } | PaymentEvent::Authorized { .. } => {}
            PaymentEvent::Captured { payment, amount, at, .. } => {
                change(to, *payment, ("PAID", *amount, Amount::ZERO), *at).await?;
            }
            PaymentEvent::Voided { payment, at, .. } => {
                change(to, *payment, ("VOIDED", Amount::ZERO, Amount::ZERO), *at).await?;
            }
            PaymentEvent::Refunded { payment, refunded, at, .. } => {
                let sql = "UPDATE payments SET refunded = $1, updated_at = $2 WHERE tx = $3";
                let query = either::query(sql).bind(Col(*refunded)).bind(Col(*at));
                query.bind(Col(*payment)).execute(to).await?;
            }
        }
    }
    Ok(())
}

async fn change(
    to: &mut To<'_>,
    payment: PaymentId,
    (status, paid, refunded): (&'static str, Amount, Amount),
    at: UnixMillis,
) -> Done {
    let sql = "UPDATE payments SET status = $1, until = NULL, paid = $2, refunded = $3, updated_at = $4 WHERE tx = $5";
    let query = either::query(sql).bind(status).bind(Col(paid)).bind(Col(refunded)).bind(Col(at));
    query.bind(Col(payment)).execute(to).await?;
    Ok(())
}
