//! What every page shows around its contents, and how it says things.

use axum::extract::{FromRequestParts, Request};
use axum::http::Uri;
use axum::http::request::Parts;
use ledger::{Amount, DeadlineKind, Party, Tally, TokenId, UnixMillis};

use super::Lang;
use super::assets;
use crate::http::model::{Action, ReplicaStatus, SplitOfferView};
use crate::http::timestamp::{readable, rfc3339};
use crate::http::{AppState, Caller, Problem};

/// What a redirect can tell the visitor on the next page.
const NOTICES: [&str; 12] = [
    "notice.welcome",
    "notice.listed",
    "notice.closed",
    "notice.bought",
    "notice.done",
    "notice.charge_requested",
    "notice.withdrawal_requested",
    "notice.settled",
    "notice.approved",
    "notice.rejected",
    "notice.proposed",
    "notice.submitted",
];

/// A request for a page.
#[derive(Clone)]
pub(crate) struct Visit {
    lang: Lang,
    path: String,
    query: String,
}

impl Visit {
    /// In this language.
    pub(crate) fn of(request: &Request, lang: Lang) -> Self {
        Self::at(request.uri(), lang)
    }

    fn at(uri: &Uri, lang: Lang) -> Self {
        Self { lang, path: uri.path().to_owned(), query: uri.query().unwrap_or_default().to_owned() }
    }
}

/// Who is signed in, as pages show it.
pub(super) struct Badge {
    pub(super) name: String,
    is_admin: bool,
}

/// What every page shows around its contents.
pub(super) struct Ui {
    pub(super) lang: Lang,
    pub(super) member: Option<Badge>,
    pub(super) height: u64,
    pub(super) notice: Option<&'static str>,
    visit: Visit,
}

impl Ui {
    pub(super) fn new(state: &AppState, visit: Visit, caller: &Caller) -> Self {
        let member = caller
            .identity()
            .map(|identity| Badge { name: identity.member.name.to_string(), is_admin: identity.is_admin() });
        let height = state.tip().0.value();
        Self { lang: visit.lang, member, height, notice: notice(&visit.query), visit }
    }

    pub(super) fn is_admin(&self) -> bool {
        self.member.as_ref().is_some_and(|member| member.is_admin)
    }

    /// Whether this is the page at a path.
    pub(super) fn at(&self, path: &str) -> bool {
        self.visit.path == path
    }

    /// The text of a key.
    pub(super) fn t<'a>(&self, key: &'a str) -> &'a str {
        self.lang.text(key)
    }

    /// The text of a key with one placeholder.
    pub(super) fn t1(&self, key: &str, name: &str, value: &str) -> String {
        self.lang.fill(key, &[(name, value)])
    }

    fn of(&self, family: &str, name: &str) -> String {
        self.t(&format!("{family}.{name}")).to_owned()
    }

    /// What a photo shows, for those who do not see it.
    pub(super) fn t_photo(&self, number: &usize, title: &impl ToString) -> String {
        self.lang.fill("item.photo", &[("number", &number.to_string()), ("title", &title.to_string())])
    }

    /// An amount of the coin.
    pub(super) fn money(&self, amount: &Amount) -> String {
        coins(*amount)
    }

    /// An amount of a token: with as many digits behind the point as it has.
    pub(super) fn units(&self, amount: Amount, decimals: u8, symbol: TokenId) -> String {
        units(amount, decimals, symbol)
    }

    /// A time of the ledger. Korea has one time; everyone else gets Greenwich's until a script knows better.
    pub(super) fn time(&self, at: &str) -> String {
        at.parse::<jiff::Timestamp>().map_or_else(|_| at.to_owned(), |time| self.local(time))
    }

    fn local(&self, time: jiff::Timestamp) -> String {
        let at = UnixMillis::new(u64::try_from(time.as_millisecond()).unwrap_or_default());
        match self.lang {
            Lang::Ko => format!("{} KST", readable(at, 9)),
            Lang::En => format!("{} UTC", readable(at, 0)),
        }
    }

    pub(super) fn rfc3339(&self, at: &UnixMillis) -> String {
        rfc3339(*at)
    }

    pub(super) fn block(&self, height: &ledger::Height) -> String {
        self.t1("trade.block", "height", &height.to_string())
    }

    pub(super) fn status(&self, status: &str) -> String {
        self.of("state", status)
    }

    pub(super) fn trade_hint(&self, state: &str, cancel_requested: &bool) -> String {
        let asked = if *cancel_requested && state == "ACCEPTED" { ".cancel" } else { "" };
        self.of("hint", &format!("{state}{asked}"))
    }

    pub(super) fn deadline(&self, kind: &DeadlineKind) -> &'static str {
        self.t(match kind {
            DeadlineKind::ShipBy => "deadline.ship_by",
            DeadlineKind::AnswerBy => "deadline.answer_by",
            DeadlineKind::ConfirmBy => "deadline.confirm_by",
            DeadlineKind::ResolveBy => "deadline.resolve_by",
            DeadlineKind::SecondResolveBy => "deadline.second_resolve_by",
            DeadlineKind::ReturnBy => "deadline.return_by",
            DeadlineKind::ReturnConfirmBy => "deadline.return_confirm_by",
        })
    }

    pub(super) fn action(&self, action: &Action) -> String {
        self.of("action", action.verb())
    }

    pub(super) fn action_hint(&self, action: &Action) -> String {
        self.of("action", &format!("{}.hint", action.verb()))
    }

    pub(super) fn party(&self, party: &Party) -> String {
        self.of("party", party_name(*party))
    }

    /// What a field of a form is for.
    pub(super) fn field(&self, name: &str) -> String {
        self.of("field", name)
    }

    pub(super) fn ruling(&self, name: &str) -> String {
        self.of("ruling", name)
    }

    /// Whether a field must be filled in: a buyer's part is said only where the ruling is to share, a note need not be.
    pub(super) fn is_needed(&self, name: &str, fields: &[&str]) -> bool {
        name != "note" && !(name == "to_buyer" && fields.contains(&"ruling"))
    }

    pub(super) fn offer(&self, offer: &SplitOfferView) -> String {
        let (to_buyer, to_seller) = (self.money(&offer.split.to_buyer), self.money(&offer.split.to_seller));
        let by = self.party(&offer.by);
        let values = [("by", by.as_str()), ("to_buyer", &to_buyer), ("to_seller", &to_seller)];
        self.lang.fill("trade.offer", &values)
    }

    /// The average of the reviews, with one decimal place, and how many there are.
    pub(super) fn stars(&self, tally: &Tally) -> String {
        match (tally.stars * 10).checked_div(tally.reviews) {
            Some(tenths) => format!("{}.{} ({})", tenths / 10, tenths % 10, tally.reviews),
            None => "–".to_owned(),
        }
    }

    pub(super) fn change(&self, change: &str, by: &str) -> String {
        let is_timely = by == "deadline" && matches!(change, "released" | "cancelled" | "refunded");
        let timely = if is_timely { ".deadline" } else { "" };
        self.of("change", &format!("{change}{timely}"))
    }

    /// What kind of thing a search has found.
    pub(super) fn found(&self, kind: &str) -> String {
        self.of("found", kind)
    }

    pub(super) fn replica_status(&self, status: &ReplicaStatus) -> String {
        self.of("replica", status.code())
    }

    pub(super) fn problem(&self, problem: &Problem) -> String {
        self.of("code", problem.code.name)
    }

    pub(super) fn asset(&self, name: &str) -> &'static str {
        assets::link(name)
    }

    /// This page in the other language.
    pub(super) fn other_language(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let kept = |name: &str| name != "lang" && name != "notice";
        query
            .extend_pairs(form_urlencoded::parse(self.visit.query.as_bytes()).filter(|(name, _)| kept(name)));
        query.append_pair("lang", self.lang.other().code());
        format!("{}?{}", self.visit.path, query.finish())
    }
}

const fn party_name(party: Party) -> &'static str {
    match party {
        Party::Buyer => "buyer",
        Party::Seller => "seller",
        Party::Arbiter => "arbiter",
        Party::Courier => "courier",
    }
}

fn notice(query: &str) -> Option<&'static str> {
    let (_, name) = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "notice")?;
    NOTICES.into_iter().find(|key| key.strip_prefix("notice.") == Some(&*name))
}

/// An amount of the coin.
pub(super) fn coins(amount: Amount) -> String {
    format!("{} POP", grouped(amount.value()))
}

/// An amount of a token.
pub(super) fn units(amount: Amount, decimals: u8, symbol: TokenId) -> String {
    format!("{} {symbol}", with_point(amount.value(), decimals))
}

/// 12345678 as 12,345,678.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// 123456 with 2 decimals as 1,234.56: all of them, so that amounts below each other line up.
fn with_point(number: u64, decimals: u8) -> String {
    // 10^18 is below 2^64.
    let unit = 10_u64.pow(u32::from(decimals));
    let whole = grouped(number / unit);
    match decimals {
        0 => whole,
        _ => format!("{whole}.{:0width$}", number % unit, width = usize::from(decimals)),
    }
}

/// Who visits a page, and what the page shows around its contents.
pub(super) struct Visitor {
    pub(super) caller: Caller,
    visit: Visit,
}

impl Visitor {
    pub(super) fn ui(&self, state: &AppState) -> Ui {
        Ui::new(state, self.visit.clone(), &self.caller)
    }
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let lang = parts.extensions.get().copied().unwrap_or(Lang::Ko);
        let caller = parts.extensions.get().cloned().unwrap_or_default();
        Ok(Self { caller, visit: Visit::at(&parts.uri, lang) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn only_known_notices_are_shown_and_each_has_a_text() {
        assert_eq!(notice("a=b&notice=bought"), Some("notice.bought"));
        assert_eq!(notice("notice=%3Cscript%3E"), None);
        assert_eq!(notice(""), None);
        for key in NOTICES {
            assert_ne!(Lang::Ko.text(key), key);
        }
    }
}
