-- Each freeze that there ever was, by the transaction that made it. The ledger keeps the last one of each account.
CREATE TABLE freezes (
    tx BLOB PRIMARY KEY,
    position BIGINT NOT NULL,
    account BLOB NOT NULL,
    frozen_by BLOB NOT NULL,
    reason TEXT NOT NULL,
    frozen_at BIGINT NOT NULL,
    -- Nothing, as long as it holds.
    lifted_tx BLOB,
    lifted_by BLOB,
    lifted_at BIGINT
);
CREATE INDEX freezes_by_position ON freezes (position);
CREATE INDEX freezes_by_account ON freezes (account, position);
-- For tables that were filled before there was this one.
CREATE INDEX events_of_freezes ON events (position) WHERE name IN ('account.frozen', 'account.unfrozen');

-- Money that waits for its payee: few among all payments.
CREATE INDEX payments_held_by_payer ON payments (payer, position) WHERE status = 'AUTHORIZED';
CREATE INDEX payments_held_by_payee ON payments (payee, position) WHERE status = 'AUTHORIZED';
