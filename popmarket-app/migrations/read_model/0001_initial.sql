-- What the blocks say. Everything here can be dropped and comes back from the blocks.
-- position: a place in the one order of all that happened, height * 2^20 + index.
-- amounts: 20 decimal digits. at: milliseconds since 1970. ids, hashes, addresses: their bytes.

-- How far it is: one row.
CREATE TABLE projection (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    chain_id BLOB NOT NULL,
    height BIGINT NOT NULL,
    hash BLOB NOT NULL,
    at BIGINT NOT NULL
);

CREATE TABLE blocks (
    height BIGINT PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    header BLOB NOT NULL,
    transactions BIGINT NOT NULL,
    events BIGINT NOT NULL
);

-- position: height * 2^20 + place among the block's transactions.
CREATE TABLE transactions (
    position BIGINT PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    -- Sender and client_ref, if that is not all zero.
    sender_ref BLOB,
    at BIGINT NOT NULL,
    body BLOB NOT NULL,
    outcome BLOB NOT NULL
);
CREATE INDEX transactions_by_sender_ref ON transactions (sender_ref) WHERE sender_ref IS NOT NULL;

-- Whom a transaction is about: its sender, and everyone of whom it changed something.
CREATE TABLE account_transactions (
    account BLOB NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (account, position)
);

CREATE TABLE events (
    position BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL
);

CREATE TABLE accounts (
    address BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    public_key BLOB NOT NULL,
    role TEXT NOT NULL,
    charge_count BIGINT NOT NULL,
    registered_at BIGINT NOT NULL
);

CREATE TABLE balances (
    account BLOB NOT NULL,
    asset TEXT NOT NULL,
    available TEXT NOT NULL,
    held TEXT NOT NULL,
    PRIMARY KEY (account, asset)
);

CREATE TABLE charges (
    id BLOB PRIMARY KEY,
    position BIGINT NOT NULL,
    requester BLOB NOT NULL,
    amount TEXT NOT NULL,
    memo TEXT NOT NULL,
    status TEXT NOT NULL,
    -- The first of two admins.
    first_approval BLOB,
    -- Approved by nobody: by the policy.
    decided_by BLOB,
    decided_at BIGINT,
    reason TEXT,
    requested_at BIGINT NOT NULL
);
CREATE INDEX charges_by_position ON charges (position);
CREATE INDEX charges_by_status ON charges (status, position);
CREATE INDEX charges_by_requester ON charges (requester, position);

CREATE TABLE withdrawals (
    id BLOB PRIMARY KEY,
    position BIGINT NOT NULL,
    owner BLOB NOT NULL,
    amount TEXT NOT NULL,
    memo TEXT NOT NULL,
    status TEXT NOT NULL,
    decided_by BLOB,
    decided_at BIGINT,
    reason TEXT,
    requested_at BIGINT NOT NULL
);
CREATE INDEX withdrawals_by_position ON withdrawals (position);
CREATE INDEX withdrawals_by_status ON withdrawals (status, position);
CREATE INDEX withdrawals_by_owner ON withdrawals (owner, position);

CREATE TABLE listings (
    id BLOB PRIMARY KEY,
    position BIGINT NOT NULL,
    seller BLOB NOT NULL,
    status TEXT NOT NULL,
    trade BLOB,
    version BIGINT NOT NULL,
    price TEXT NOT NULL,
    search_text TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX listings_by_position ON listings (position);
CREATE INDEX listings_by_status ON listings (status, position);
CREATE INDEX listings_by_price ON listings (status, price, position);
CREATE INDEX listings_by_seller ON listings (seller, position);

CREATE TABLE listing_versions (
    listing BLOB NOT NULL,
    version BIGINT NOT NULL,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    price TEXT NOT NULL,
    photos BLOB NOT NULL,
    content_hash BLOB NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (listing, version)
);

CREATE TABLE trades (
    id BLOB PRIMARY KEY,
    position BIGINT NOT NULL,
    listing BLOB NOT NULL,
    version BIGINT NOT NULL,
    content_hash BLOB NOT NULL,
    buyer BLOB NOT NULL,
    seller BLOB NOT NULL,
    state TEXT NOT NULL,
    -- Who decides on its dispute, and whether there ever was one.
    arbiter BLOB,
    disputed BOOLEAN NOT NULL,
    tracking TEXT,
    return_tracking TEXT,
    -- Its row on the ledger.
    body BLOB NOT NULL
);
CREATE INDEX trades_by_position ON trades (position);
CREATE INDEX trades_by_buyer ON trades (buyer, position);
CREATE INDEX trades_by_seller ON trades (seller, position);
CREATE INDEX trades_by_arbiter ON trades (arbiter, position) WHERE arbiter IS NOT NULL;
CREATE INDEX trades_by_listing ON trades (listing, position);

-- Which events are about a trade.
CREATE TABLE trade_steps (
    trade BLOB NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (trade, position)
);

CREATE TABLE payments (
    tx BLOB PRIMARY KEY,
    position BIGINT NOT NULL,
    payer BLOB NOT NULL,
    payee BLOB NOT NULL,
    asset TEXT NOT NULL,
    amount TEXT NOT NULL,
    reference TEXT,
    memo TEXT NOT NULL,
    at BIGINT NOT NULL,
    -- AUTHORIZED until then, PAID or VOIDED.
    status TEXT NOT NULL,
    until BIGINT,
    paid TEXT NOT NULL,
    refunded TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX payments_by_position ON payments (position);
CREATE INDEX payments_by_payer ON payments (payer, position);
CREATE INDEX payments_by_payee ON payments (payee, position);

CREATE TABLE polls (
    id BLOB PRIMARY KEY,
    position BIGINT NOT NULL,
    creator BLOB NOT NULL,
    question TEXT NOT NULL,
    -- Of sealed polls only.
    reveal_by BIGINT,
    changeable BOOLEAN NOT NULL,
    -- How many are asked by name; none if everyone is.
    listed BIGINT,
    opens_at BIGINT NOT NULL,
    closes_at BIGINT NOT NULL,
    -- closes_at, or reveal_by.
    ends_at BIGINT NOT NULL,
    unrevealed BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    closed_height BIGINT,
    closed_at BIGINT
);
CREATE INDEX polls_by_position ON polls (position);
CREATE INDEX polls_by_creator ON polls (creator, position);

CREATE TABLE poll_options (
    poll BLOB NOT NULL,
    choice BIGINT NOT NULL,
    text TEXT NOT NULL,
    votes BIGINT NOT NULL,
    PRIMARY KEY (poll, choice)
);
