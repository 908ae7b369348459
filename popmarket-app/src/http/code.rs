//! The codes that errors have: clients may rely on them, so a name never changes its meaning.

use axum::http::StatusCode;

/// What went wrong, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The name.
    pub name: &'static str,
    /// The status of answers that have it.
    pub status: StatusCode,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// What it means, in one line.
    pub title: &'static str,
}

macro_rules! codes {
    ($($name:ident = $status:ident $(, $retry:ident)?: $title:literal;)*) => {
        impl Code {
            $(
                #[doc = $title]
                pub const $name: Self = Self {
                    name: stringify!($name),
                    status: StatusCode::$status,
                    retryable: codes!(@retryable $($retry)?),
                    title: $title,
                };
            )*

            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
    (@retryable retryable) => { true };
    (@retryable) => { false };
}

codes! {
    // The request itself.
    NO_SUCH_ROUTE = NOT_FOUND: "There is nothing at this path.";
    METHOD_NOT_ALLOWED = METHOD_NOT_ALLOWED: "The path has no such method.";
    MALFORMED_JSON = BAD_REQUEST: "The body is not JSON.";
    INVALID_BODY = UNPROCESSABLE_ENTITY: "A field is missing, unknown or of the wrong kind.";
    INVALID_PATH = BAD_REQUEST: "A part of the path is not what belongs there.";
    INVALID_QUERY = BAD_REQUEST: "A query parameter is unknown or of the wrong kind.";
    INVALID_HEADER = BAD_REQUEST: "A header is not what belongs there.";
    UNSUPPORTED_MEDIA_TYPE = UNSUPPORTED_MEDIA_TYPE: "The route does not take this content type.";
    BODY_TOO_LARGE = PAYLOAD_TOO_LARGE: "The body is too large for the route.";
    BODY_UNREADABLE = BAD_REQUEST: "The body ended too soon or came too slowly.";
    NOT_AT_HEIGHT = PRECONDITION_FAILED, retryable: "The ledger has not reached the height asked for.";
    RATE_LIMITED = TOO_MANY_REQUESTS, retryable: "Too many requests.";
    BUSY = TOO_MANY_REQUESTS, retryable: "Too much is going on at once.";

    // Who asks.
    UNAUTHENTICATED = UNAUTHORIZED: "Sign in first.";
    INVALID_CREDENTIALS = UNAUTHORIZED: "Name and password do not belong together.";
    FORBIDDEN = FORBIDDEN: "You may not do this.";
    CROSS_SITE = FORBIDDEN: "The request comes from another site.";

    // Idempotency keys.
    INVALID_IDEMPOTENCY_KEY = BAD_REQUEST: "An idempotency key has 1 to 64 printable ASCII characters.";
    IDEMPOTENCY_IN_FLIGHT = CONFLICT, retryable: "The first request with this key is still being worked on.";
    IDEMPOTENCY_KEY_REUSED = UNPROCESSABLE_ENTITY: "The key was used for another request.";

    // Members and pictures.
    UNKNOWN_MEMBER = NOT_FOUND: "There is no such member.";
    NAME_TAKEN = CONFLICT: "The name is taken.";
    WEAK_PASSWORD = UNPROCESSABLE_ENTITY: "A password has 8 to 128 characters.";
    NO_CUSTODY = CONFLICT: "The member keeps the key: send signed transactions.";
    CHAIN_FULL = CONFLICT: "The chain has as many accounts as it can have.";
    KEY_REGISTERED = CONFLICT: "The key has an account.";
    NOT_A_PICTURE = UNPROCESSABLE_ENTITY: "The bytes are no JPEG, PNG or WebP picture that can be read.";
    UNKNOWN_BLOB = NOT_FOUND: "There is no such picture.";
    UNKNOWN_PHOTO = UNPROCESSABLE_ENTITY: "A photo was not uploaded before.";

    // Webhooks.
    UNKNOWN_WEBHOOK = NOT_FOUND: "There is no such webhook.";
    TOO_MANY_WEBHOOKS = CONFLICT: "A member has at most 16 webhooks.";
    UNKNOWN_EVENT_NAME = BAD_REQUEST: "No event has a name that begins so.";
    BAD_WEBHOOK_URL = UNPROCESSABLE_ENTITY: "Webhooks cannot be sent to this URL.";

    // Looking things up.
    UNKNOWN_BLOCK = NOT_FOUND: "There is no such block.";
    UNKNOWN_TRANSACTION = NOT_FOUND: "There is no such transaction.";
    NOT_CERTIFIED = CONFLICT, retryable: "The replicas have not signed for the block yet.";
    UNKNOWN_PAYMENT = NOT_FOUND: "There is no such payment.";

    // Transactions that are refused: nothing is recorded.
    MALFORMED = UNPROCESSABLE_ENTITY: "The bytes are not a transaction.";
    WRONG_CHAIN = UNPROCESSABLE_ENTITY: "The transaction is for another chain.";
    UNKNOWN_ACCOUNT = NOT_FOUND: "There is no such account.";
    KEY_REVOKED = FORBIDDEN: "The key may not sign for the account.";
    BAD_SIGNATURE = UNPROCESSABLE_ENTITY: "The signature is wrong.";
    HIGH_S = UNPROCESSABLE_ENTITY: "The signature has a high s.";
    EXPIRED = CONFLICT: "The transaction is no longer valid.";
    NONCE_USED = CONFLICT: "The nonce is used.";
    NONCE_TOO_FAR = CONFLICT, retryable: "The nonce is too far above the lowest unused one.";

    // Transactions that are recorded as failed.
    INSUFFICIENT_FUNDS = CONFLICT: "There is too little money.";
    SUPPLY_EXCEEDED = CONFLICT: "There would be more money than can be counted.";
    ALREADY_REGISTERED = CONFLICT: "The account is open already.";
    ZERO_AMOUNT = UNPROCESSABLE_ENTITY: "The amount is zero.";
    UNKNOWN_CHARGE = NOT_FOUND: "There is no such charge.";
    NOT_ADMIN = FORBIDDEN: "Only an admin may do this.";
    OWN_CHARGE = FORBIDDEN: "Another admin decides on this charge.";
    CHARGE_ALREADY_DECIDED = CONFLICT: "The charge is decided.";
    CHARGE_ALREADY_APPROVED = CONFLICT: "You have approved this charge; it takes another admin as well.";
    UNKNOWN_POLICY_PROPOSAL = NOT_FOUND: "Nobody asks for such terms of automatic approval.";
    OWN_POLICY_PROPOSAL = FORBIDDEN: "Another admin decides on these terms.";
    PROPOSER_NOT_ADMIN = CONFLICT: "Who asked for it is no admin any more: another admin has to ask anew.";
    UNKNOWN_WITHDRAWAL = NOT_FOUND: "There is no such withdrawal.";
    OWN_WITHDRAWAL = FORBIDDEN: "Another admin settles this withdrawal.";
    NOT_WITHDRAWAL_OWNER = FORBIDDEN: "Only its owner or an admin may do this.";
    WITHDRAWAL_ALREADY_DECIDED = CONFLICT: "The withdrawal is decided.";
    KEY_USED = CONFLICT: "An account has or had this key.";
    BAD_KEY_PROOF = UNPROCESSABLE_ENTITY: "The new key has not signed for the account.";
    TOO_MANY_KEYS = CONFLICT: "The account has had all the keys that it can have.";
    UNKNOWN_KEY = NOT_FOUND: "The account has no such key.";
    LAST_KEY = CONFLICT: "The last key of an account cannot be revoked.";
    BAD_GUARDIANS = UNPROCESSABLE_ENTITY: "Guardians are other accounts, each named once, 16 at most.";
    BAD_THRESHOLD = UNPROCESSABLE_ENTITY: "The threshold does not fit the number of guardians.";
    BAD_DELAY = UNPROCESSABLE_ENTITY: "The delay is shorter or longer than the chain allows.";
    NOT_GUARDIAN = FORBIDDEN: "Only a guardian of the account may do this.";
    UNKNOWN_RECOVERY = NOT_FOUND: "There is no such recovery.";
    NOT_ACCOUNT_OWNER = FORBIDDEN: "Only the owner of the account may do this.";
    RECOVERY_OPEN = CONFLICT: "A recovery that you have asked for is under way, or you have asked anew too often.";
    RECOVERY_OVER = CONFLICT: "The recovery is over, or the guardians have changed since.";
    ALREADY_AGREED = CONFLICT: "You have agreed to it already.";
    ACCOUNT_FROZEN = FORBIDDEN: "An admin has frozen the account.";
    SPENDING_LIMIT_EXCEEDED = CONFLICT: "More than the owner lets go out of the account in a day.";
    ALREADY_FROZEN = CONFLICT: "The account is frozen already.";
    NOT_FROZEN = CONFLICT: "The account is not frozen.";
    ADMIN_ACCOUNT = FORBIDDEN: "The account of an admin cannot be frozen.";
    OWN_FREEZE = FORBIDDEN: "Another admin lifts this freeze.";
    SELF_PAYMENT = UNPROCESSABLE_ENTITY: "Payer and payee are the same.";
    UNKNOWN_PAYEE = NOT_FOUND: "The payee has no account.";
    REFERENCE_USED = CONFLICT: "The payee's reference is paid already.";
    ZERO_PRICE = UNPROCESSABLE_ENTITY: "The price is zero.";
    UNKNOWN_LISTING = NOT_FOUND: "There is no such listing.";
    NOT_LISTING_OWNER = FORBIDDEN: "Only the seller may do this.";
    LISTING_NOT_OPEN = CONFLICT: "The listing is reserved, sold or closed.";
    STALE_VERSION = CONFLICT: "The seller has changed the listing since.";
    CONTENT_MISMATCH = CONFLICT: "The listing says something else than the buyer saw.";
    VERSION_LIMIT = CONFLICT: "The listing was changed too often.";
    UNKNOWN_TRADE = NOT_FOUND: "There is no such trade.";
    OWN_LISTING = FORBIDDEN: "The listing is your own.";
    NOT_BUYER = FORBIDDEN: "Only the buyer may do this.";
    NOT_SELLER = FORBIDDEN: "Only the seller may do this.";
    NOT_A_PARTY = FORBIDDEN: "Only buyer and seller may do this.";
    WRONG_STATE = CONFLICT: "Not possible in the state that the trade is in.";
    CANCEL_ALREADY_REQUESTED = CONFLICT: "The buyer has asked to cancel already.";
    NOT_ARBITER = FORBIDDEN: "Only the arbiter of this dispute may do this.";
    NOT_COURIER = FORBIDDEN: "Only a courier may do this, neither buyer nor seller.";
    ALREADY_EXTENDED = CONFLICT: "The buyer had more time already.";
    ALREADY_ATTESTED = CONFLICT: "The delivery is attested already.";
    SPLIT_SUM = UNPROCESSABLE_ENTITY: "The parts do not add up to the price.";
    NO_SPLIT_OFFER = CONFLICT: "Nobody offers to share the money.";
    OWN_SPLIT_OFFER = FORBIDDEN: "The other one decides on this offer.";
    OTHER_SPLIT_OFFER = CONFLICT: "The offer is another one now.";
    EVIDENCE_LIMIT = CONFLICT: "Enough is on record.";
    RETURNED_BEFORE = CONFLICT: "The goods are sent back once only.";
    ALREADY_SHIPPED_BACK = CONFLICT: "The goods are on their way back already.";
    NOT_SHIPPED_BACK = CONFLICT: "The goods are not on their way back.";
    TOO_MUCH_GIVEN_BACK = CONFLICT: "More than the price would be given back.";
    NO_HANDOVER = CONFLICT: "The seller hands nothing over in person.";
    WRONG_CODE = CONFLICT: "The code is another one.";
    OFFER_LIMIT = CONFLICT: "There were enough offers to share the money.";
    HANDOVER_LIMIT = CONFLICT: "There were enough codes for handing over.";
    GIVE_BACK_LIMIT = CONFLICT: "It was given back in enough parts.";
    NOT_REVIEWABLE = CONFLICT: "The trade is not over, or was cancelled.";
    ALREADY_REVIEWED = CONFLICT: "Each side writes one review.";
    SAME_ROLE = CONFLICT: "The member has this role.";
    TOO_FEW_ADMINS = CONFLICT: "Too few admins would be left.";
    UNKNOWN_ROLE_CHANGE = NOT_FOUND: "Nobody asked for such a change of a role.";
    OWN_ROLE_CHANGE = FORBIDDEN: "Another admin decides on this change of a role.";
    ROLE_CHANGE_ALREADY_DECIDED = CONFLICT: "The change of a role is decided.";
    UNKNOWN_REPLICA_CHANGE = NOT_FOUND: "Nobody asked for such a change of the replicas.";
    OWN_REPLICA_CHANGE = FORBIDDEN: "Another admin decides on this change of the replicas.";
    REPLICA_CHANGE_ALREADY_DECIDED = CONFLICT: "The change of the replicas is decided.";
    NOTHING_TO_CHANGE = UNPROCESSABLE_ENTITY: "Nobody would leave or join.";
    UNKNOWN_REPLICA = NOT_FOUND: "No replica that takes part has this id.";
    BAD_REPLICA_KEY = UNPROCESSABLE_ENTITY: "The key is not a point of the curve.";
    REPLICA_KEY_USED = CONFLICT: "A replica has or had this key.";
    REPLICA_ADDRESS_IN_USE = CONFLICT: "Another replica has this address.";
    TOO_FEW_REPLICAS = CONFLICT: "Too few replicas would be left to tolerate a fault.";
    TOO_MANY_REPLICAS = CONFLICT: "There would be more replicas than the chain allows.";
    NO_REPLICA_ID_LEFT = CONFLICT: "All ids of replicas were given.";
    SYMBOL_TAKEN = CONFLICT: "Another token has the symbol.";
    UNKNOWN_TOKEN = NOT_FOUND: "There is no such token.";
    NOT_ISSUER = FORBIDDEN: "Only the issuer may do this.";
    CAP_EXCEEDED = CONFLICT: "There would be more of the token than there may be.";
    UNKNOWN_RECIPIENT = NOT_FOUND: "The account named has not been opened.";
    SAME_ACCOUNT = UNPROCESSABLE_ENTITY: "Both sides are the same account.";
    ALLOWANCE_CHANGED = CONFLICT: "The allowance is not what the owner takes it for.";
    ALLOWANCE_TOO_SMALL = FORBIDDEN: "The owner does not allow so much.";
    NOT_ADMIN_OR_ISSUER = FORBIDDEN: "Only an admin or the issuer of the token may do this.";
    SAME_ASSET = UNPROCESSABLE_ENTITY: "A token cannot be paid with itself.";
    ZERO_TICK_OR_LOT = UNPROCESSABLE_ENTITY: "The tick or the lot is zero.";
    MARKET_EXISTS = CONFLICT: "The market is open already.";
    UNKNOWN_MARKET = NOT_FOUND: "There is no such market.";
    WRONG_MARKET_STATUS = CONFLICT: "Not possible while the market is as it is.";
    QUANTITY_OFF_LOT = UNPROCESSABLE_ENTITY: "The quantity is zero, or not a multiple of the lot.";
    PRICE_OFF_TICK = UNPROCESSABLE_ENTITY: "The price is zero, or not a multiple of the tick.";
    PRICE_NEEDED = UNPROCESSABLE_ENTITY: "An order that waits has a price.";
    ORDER_TOO_LARGE = UNPROCESSABLE_ENTITY: "Price times quantity is more than can be counted.";
    ORDER_ALREADY_OVER = UNPROCESSABLE_ENTITY: "The time of the order is over.";
    WOULD_TRADE = CONFLICT: "A post-only order would be filled at once.";
    NOT_FILLABLE = CONFLICT: "The order cannot be filled at once as a whole.";
    UNKNOWN_ORDER = NOT_FOUND: "There is no such order.";
    NOT_ORDER_OWNER = FORBIDDEN: "Only the owner of the order may do this.";
    ORDER_NOT_OPEN = CONFLICT: "The order is filled or cancelled.";
    NOTHING_LEFT = UNPROCESSABLE_ENTITY: "Nothing would be left of the order: cancel it.";
    NOT_PAYEE = FORBIDDEN: "Only the payee may do this.";
    WRONG_PAYMENT_STATUS = CONFLICT: "Not possible in the state that the payment is in.";
    DEADLINE_PASSED = UNPROCESSABLE_ENTITY: "The deadline has passed already.";
    HOLD_TOO_LONG = UNPROCESSABLE_ENTITY: "Money is not held for so long.";
    CAPTURE_TOO_LARGE = CONFLICT: "More than was authorized.";
    REFUND_TOO_LARGE = CONFLICT: "More than is left of what was paid.";
    NO_TIME_TO_VOTE = UNPROCESSABLE_ENTITY: "The poll would close before anyone could vote.";
    NO_TIME_TO_REVEAL = UNPROCESSABLE_ENTITY: "The poll would end before anyone could reveal a vote.";
    POLL_TOO_LONG = UNPROCESSABLE_ENTITY: "The poll would run for too long.";
    UNKNOWN_VOTER = NOT_FOUND: "Someone who is asked has no account.";
    UNKNOWN_POLL = NOT_FOUND: "There is no such poll.";
    WRONG_POLL_PHASE = CONFLICT: "Not possible while the poll is what it is: not open yet, closed, or being revealed.";
    OTHER_BALLOT = CONFLICT: "The poll has another kind of ballot.";
    NOT_ELIGIBLE = FORBIDDEN: "The poll is for others.";
    UNKNOWN_OPTION = UNPROCESSABLE_ENTITY: "The poll has no such option.";
    ALREADY_VOTED = CONFLICT: "The vote is cast already.";
    NOTHING_TO_REVEAL = CONFLICT: "There is no sealed vote of yours.";
    COMMITMENT_MISMATCH = CONFLICT: "Choice and salt are not those of the commitment.";
    NOT_POLL_CREATOR = FORBIDDEN: "Only the poll's creator may do this.";
    VOTES_UNREVEALED = CONFLICT: "Some votes are not revealed yet.";
    REJECTED = CONFLICT: "The transaction failed by the rules of the ledger.";

    // Ours.
    NO_QUORUM = SERVICE_UNAVAILABLE, retryable: "No quorum of replicas shows the same state now.";
    UNAVAILABLE = SERVICE_UNAVAILABLE, retryable: "The ledger cannot be reached.";
    DATABASE_UNAVAILABLE = SERVICE_UNAVAILABLE, retryable: "The database cannot be reached, or is busy.";
    OVERLOADED = SERVICE_UNAVAILABLE, retryable: "Too many requests that cost much are being worked on.";
    INTERNAL = INTERNAL_SERVER_ERROR: "Something went wrong here.";
}

impl Code {
    /// The code that a refusal or rejection of the ledger names.
    pub fn of_ledger(name: &str) -> Self {
        let known = Self::ALL.iter().copied().find(|code| code.name == name);
        known.unwrap_or_else(|| {
            tracing::error!(name, "the ledger has a code that the API does not know");
            Self::REJECTED
        })
    }

    /// The names that refusals and rejections of the ledger have. Some are there more than once.
    pub(super) fn names_of_ledger() -> impl Iterator<Item = &'static str> {
        ledger::Refusal::codes().chain(ledger::Rejection::codes())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_only_five_are_our_fault() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.name).collect();
        assert_eq!(names.len(), Code::ALL.len());
        let ours: Vec<_> = Code::ALL.iter().filter(|c| c.status.is_server_error()).map(|c| c.name).collect();
        assert_eq!(ours, ["NO_QUORUM", "UNAVAILABLE", "DATABASE_UNAVAILABLE", "OVERLOADED", "INTERNAL"]);
        assert!(Code::ALL.iter().all(|code| code.status.is_client_error() || code.status.is_server_error()));
    }

    #[test]
    fn all_of_the_ledger_are_known() {
        for name in Code::names_of_ledger() {
            assert_eq!(Code::of_ledger(name).name, name);
        }
        assert_eq!(Code::of_ledger("OF_THE_FUTURE"), Code::REJECTED);
    }
}
