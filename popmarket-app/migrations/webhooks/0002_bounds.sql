-- How much may be open for a hook, whose turn it is, and what was missed.
-- Everything that is looked for is found by an index, however much is open for others.

DROP INDEX deliveries_by_due;
CREATE INDEX deliveries_by_due ON deliveries (hook, due_at, position) WHERE due_at IS NOT NULL;

-- How many of its deliveries have a due_at.
ALTER TABLE hooks ADD COLUMN open BIGINT NOT NULL DEFAULT 0;
-- When its next turn is: its first due_at, or the time of the last attempt if that is later, so that whoever was served comes
-- after all who wait. None if nothing is open.
ALTER TABLE hooks ADD COLUMN next_at BIGINT;
-- From where on something was missed when it was disabled the last time.
ALTER TABLE hooks ADD COLUMN replay_from BIGINT;
UPDATE hooks SET
    open = (SELECT COUNT(*) FROM deliveries WHERE hook = hooks.id AND due_at IS NOT NULL),
    next_at = (SELECT MIN(due_at) FROM deliveries WHERE hook = hooks.id AND due_at IS NOT NULL);
CREATE INDEX hooks_by_turn ON hooks (next_at, id) WHERE disabled IS NULL AND next_at IS NOT NULL;
CREATE INDEX hooks_by_audience ON hooks (everything, owner) WHERE disabled IS NULL;
