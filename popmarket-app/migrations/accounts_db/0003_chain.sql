-- The chain whose members these are: one row, from the first start on.
CREATE TABLE chain (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    chain_id BLOB NOT NULL
);
