-- What was missed has an end, and a hook that was enabled is not held to what was before.

-- Up to where something may have been missed since replay_from. None while more is missed, as the hook is disabled, or if nothing was.
ALTER TABLE hooks ADD COLUMN missed_to BIGINT;
-- When its owner enabled it the last time.
ALTER TABLE hooks ADD COLUMN enabled_at BIGINT;

-- What was given up was missed, too.
UPDATE hooks SET replay_from = MIN(COALESCE(replay_from, lost.position), lost.position)
FROM (SELECT hook, MIN(position) AS position FROM deliveries WHERE NOT delivered AND due_at IS NULL GROUP BY hook) AS lost
WHERE lost.hook = hooks.id;
-- When a hook was disabled that says nothing else about it is not known: it may have missed anything.
UPDATE hooks SET replay_from = since + 1 WHERE disabled IS NOT NULL AND replay_from IS NULL;
-- All that comes after it is dealt out from now on.
UPDATE hooks SET missed_to = (SELECT position FROM planned) WHERE disabled IS NULL AND replay_from IS NOT NULL;
