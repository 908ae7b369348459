-- Tokens and the exchange. Assets and markets: their texts, such as SHOP and SHOP-POP.

CREATE TABLE tokens (
    symbol TEXT PRIMARY KEY,
    position BIGINT NOT NULL,
    issuer BLOB NOT NULL,
    name TEXT NOT NULL,
    decimals BIGINT NOT NULL,
    cap TEXT,
    -- How much there is.
    supply TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX tokens_by_position ON tokens (position);
CREATE INDEX balances_by_asset ON balances (asset, account);

CREATE TABLE markets (
    id TEXT PRIMARY KEY,
    position BIGINT NOT NULL,
    tick TEXT NOT NULL,
    lot TEXT NOT NULL,
    status TEXT NOT NULL,
    last_price TEXT,
    fills BIGINT NOT NULL,
    -- Up to 39 digits.
    volume TEXT NOT NULL,
    opened_at BIGINT NOT NULL
);
CREATE INDEX markets_by_position ON markets (position);

CREATE TABLE orders (
    id BLOB PRIMARY KEY,
    position BIGINT NOT NULL,
    market TEXT NOT NULL,
    owner BLOB NOT NULL,
    side TEXT NOT NULL,
    price TEXT,
    quantity TEXT NOT NULL,
    remaining TEXT NOT NULL,
    kind TEXT NOT NULL,
    until BIGINT,
    status TEXT NOT NULL,
    -- Why what was left was taken away.
    reason TEXT,
    placed_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX orders_by_position ON orders (position);
CREATE INDEX orders_by_owner ON orders (owner, position);

-- The tape: numbers have no gaps for each market.
CREATE TABLE fills (
    position BIGINT PRIMARY KEY,
    market TEXT NOT NULL,
    number BIGINT NOT NULL,
    price TEXT NOT NULL,
    quantity TEXT NOT NULL,
    cost TEXT NOT NULL,
    fee TEXT NOT NULL,
    buyer BLOB NOT NULL,
    seller BLOB NOT NULL,
    maker BLOB NOT NULL,
    taker BLOB NOT NULL,
    taker_side TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE UNIQUE INDEX fills_by_number ON fills (market, number);

-- What the fills of a span of time say. start: milliseconds since 1970, span: milliseconds.
CREATE TABLE candles (
    market TEXT NOT NULL,
    span BIGINT NOT NULL,
    start BIGINT NOT NULL,
    open TEXT NOT NULL,
    high TEXT NOT NULL,
    low TEXT NOT NULL,
    close TEXT NOT NULL,
    volume TEXT NOT NULL,
    fills BIGINT NOT NULL,
    PRIMARY KEY (market, span, start)
);
