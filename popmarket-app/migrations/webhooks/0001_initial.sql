-- Where members want to be told what happens, and what was told. Not dropped with the read model.
-- position: a place in the one order of all that happened, as in the read model.

-- Up to where it is settled which events go where: one row.
CREATE TABLE planned (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    position BIGINT NOT NULL
);

CREATE TABLE hooks (
    id BLOB PRIMARY KEY,
    owner BLOB NOT NULL,
    url TEXT NOT NULL,
    -- Beginnings of names of events, separated by commas. Empty: all.
    events TEXT NOT NULL,
    -- Also what does not concern the owner.
    everything BOOLEAN NOT NULL,
    secret BLOB NOT NULL,
    old_secret BLOB,
    old_secret_until BIGINT,
    -- Only events after it.
    since BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    -- Since when nothing got through.
    failing_since BIGINT,
    -- Why nothing is sent any more.
    disabled TEXT
);
CREATE INDEX hooks_by_owner ON hooks (owner, created_at);

-- due_at: when it is sent next; none if it got through or was given up.
CREATE TABLE deliveries (
    hook BLOB NOT NULL,
    position BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    due_at BIGINT,
    delivered BOOLEAN NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (hook, position)
);
CREATE INDEX deliveries_by_due ON deliveries (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE attempts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    hook BLOB NOT NULL,
    message TEXT NOT NULL,
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    millis BIGINT NOT NULL,
    status BIGINT,
    error TEXT
);
CREATE INDEX attempts_by_hook ON attempts (hook, id);
CREATE INDEX attempts_by_time ON attempts (at);
