-- Which events name the guardians of an account: they are told what happens to it later.
CREATE TABLE guardians (
    position BIGINT PRIMARY KEY,
    account BLOB NOT NULL
);
CREATE INDEX guardians_by_account ON guardians (account, position);
-- For tables that were filled before there was this one.
CREATE INDEX events_with_guardians ON events (position) WHERE name = 'account.guardians_set';
