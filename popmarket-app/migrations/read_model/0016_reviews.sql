-- What buyers and sellers say of each other. side: by whom it is, BUYER or SELLER.
CREATE TABLE reviews (
    position BIGINT PRIMARY KEY,
    trade BLOB NOT NULL,
    side TEXT NOT NULL,
    author BLOB NOT NULL,
    subject BLOB NOT NULL,
    rating BIGINT NOT NULL,
    text TEXT NOT NULL,
    at BIGINT NOT NULL,
    UNIQUE (trade, side)
);
CREATE INDEX reviews_by_subject ON reviews (subject, position);
