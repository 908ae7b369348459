-- What would otherwise be looked up among many rows.

-- When a trade came to its end. Nothing, as long as it goes on. What happens after that does not move it.
ALTER TABLE trades ADD COLUMN closed_at BIGINT;
UPDATE trades SET closed_at = (
    SELECT MIN(events.at) FROM trade_steps JOIN events ON events.position = trade_steps.position
    WHERE trade_steps.trade = trades.id
    AND events.name IN ('trade.released', 'trade.cancelled', 'trade.refunded', 'trade.split')
);

-- How many accounts have some of a token.
ALTER TABLE tokens ADD COLUMN holders BIGINT NOT NULL DEFAULT 0;
UPDATE tokens SET holders = (
    SELECT COUNT(*) FROM balances WHERE balances.asset = tokens.symbol
    AND (balances.available > '00000000000000000000' OR balances.held > '00000000000000000000')
);

-- Balances that came to nothing stay, and are passed over.
DROP INDEX balances_by_asset;
CREATE INDEX balances_of_asset ON balances (asset, account)
    WHERE available > '00000000000000000000' OR held > '00000000000000000000';
-- How many characters the asset has: the shortest symbols come first, as on the ledger.
ALTER TABLE balances ADD COLUMN length BIGINT NOT NULL DEFAULT 0;
UPDATE balances SET length = LENGTH(asset);
CREATE INDEX balances_of_account ON balances (account, length, asset)
    WHERE available > '00000000000000000000' OR held > '00000000000000000000';

-- Orders that wait: few among all of an account.
CREATE INDEX orders_open_by_owner ON orders (owner, position) WHERE status = 'OPEN';

-- Trades of an account in a state, and payments that came to something, may be few among all of it.
CREATE INDEX trades_by_buyer_and_state ON trades (buyer, state, position);
CREATE INDEX trades_by_seller_and_state ON trades (seller, state, position);
CREATE INDEX trades_by_arbiter_and_state ON trades (arbiter, state, position) WHERE arbiter IS NOT NULL;
DROP INDEX payments_held_by_payer;
DROP INDEX payments_held_by_payee;
CREATE INDEX payments_by_payer_and_status ON payments (payer, status, position);
CREATE INDEX payments_by_payee_and_status ON payments (payee, status, position);
