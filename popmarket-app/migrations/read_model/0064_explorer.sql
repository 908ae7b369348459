-- Accounts by the beginnings of their names, and the tape of each market and of each token.
CREATE INDEX accounts_by_name ON accounts (LOWER(name));

-- What is bought and sold: the part of the market's name before the line.
ALTER TABLE fills ADD COLUMN base TEXT NOT NULL DEFAULT '';
UPDATE fills SET base = RTRIM(RTRIM(market, REPLACE(market, '-', '')), '-');
CREATE INDEX fills_by_market ON fills (market, position);
CREATE INDEX fills_by_base ON fills (base, position);
