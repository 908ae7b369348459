-- What does not belong on a chain. Not dropped with the read model.

CREATE TABLE members (
    address BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    -- The name with small Latin letters: what makes two names the same.
    folded TEXT NOT NULL UNIQUE,
    keeping TEXT NOT NULL,
    -- Argon2id. The scheme says with which parameters.
    password_scheme BIGINT NOT NULL,
    password_salt BLOB NOT NULL,
    password_hash BLOB NOT NULL,
    enrolled_at BIGINT NOT NULL
);

-- token: the SHA-256 of what the member holds.
CREATE TABLE sessions (
    token BLOB PRIMARY KEY,
    member BLOB NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_member ON sessions (member, expires_at);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- Without a status: not answered yet.
CREATE TABLE idempotency (
    member BLOB NOT NULL,
    route TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    expires_at BIGINT NOT NULL,
    status BIGINT,
    content_type TEXT,
    body BLOB,
    PRIMARY KEY (member, route, key)
);
CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);

-- Transactions that were signed here, from before they are sent until nobody asks for them again.
CREATE TABLE outbox (
    sender BLOB NOT NULL,
    client_ref BLOB NOT NULL,
    body BLOB NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (sender, client_ref)
);
CREATE INDEX outbox_by_expiry ON outbox (expires_at);
