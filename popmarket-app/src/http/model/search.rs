use pbft_crypto::Address;
use serde::Serialize;
use utoipa::ToSchema;

use crate::read_model::Hit;

/// Something that was found.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct HitView {
    /// `block`, `transaction`, `account`, `listing`, `trade`, `payment`, `token`, `market` or `poll`.
    #[schema(example = "account")]
    pub kind: &'static str,
    /// What names it.
    pub id: String,
    /// What it is called; its id if it has no name.
    #[schema(example = "alice")]
    pub title: String,
    /// Where the API has it.
    #[schema(example = "/v1/tokens/SHOP")]
    pub href: String,
    /// The page about it.
    #[schema(example = "/exchange")]
    pub page: String,
}

/// What was found, the most exact first.
#[derive(Debug, Serialize, ToSchema)]
pub struct SearchResults {
    /// At most ten of each kind.
    pub data: Vec<HitView>,
}

impl HitView {
    /// With links that lead somewhere for whoever looks: only those who take part in a trade, and admins, read it.
    pub fn new(hit: Hit, viewer: Option<&Address>, is_admin: bool) -> Self {
        let kind = hit.kind();
        let id = hit.id();
        let (title, href, page) = match hit {
            Hit::Block { height, hash } => {
                (hash.to_string(), format!("/v1/blocks/{height}"), format!("/blocks/{height}"))
            }
            Hit::Transaction { id } => {
                (id.to_string(), format!("/v1/transactions/{id}"), format!("/transactions/{id}"))
            }
            Hit::Account { address, name } => {
                (name.to_string(), format!("/v1/accounts/{address}"), format!("/members/{address}"))
            }
            Hit::Listing { id, title } => {
                (title.to_string(), format!("/v1/listings/{id}"), format!("/items/{id}"))
            }
            Hit::Trade { id, listing, title, parties } => {
                let takes_part = viewer.is_some_and(|viewer| parties.contains(viewer));
                let (href, page) = if takes_part || is_admin {
                    (format!("/v1/trades/{id}"), format!("/trades/{id}"))
                } else {
                    (format!("/v1/listings/{listing}/trades"), format!("/items/{listing}"))
                };
                (title.to_string(), href, page)
            }
            Hit::Payment { tx } => {
                (tx.to_string(), format!("/v1/payments/{tx}"), format!("/transactions/{tx}"))
            }
            Hit::Token { symbol, name } => {
                (name.to_string(), format!("/v1/tokens/{symbol}"), "/exchange".to_owned())
            }
            Hit::Market { id } => (id.to_string(), format!("/v1/markets/{id}"), format!("/exchange/{id}")),
            // The transaction that made it has its id.
            Hit::Poll { id, question } => {
                (question.to_string(), format!("/v1/polls/{id}"), format!("/transactions/{id}"))
            }
        };
        Self { kind, id, title, href, page }
    }
}
