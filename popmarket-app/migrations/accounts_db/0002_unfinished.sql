-- Whether the account is known to be open. Members of whom it is not are looked after until it is, or never can be.
ALTER TABLE members ADD COLUMN is_open BIGINT NOT NULL DEFAULT 0;
-- Of earlier members who keep their keys no registration is written down to go on with: they stay as they are.
UPDATE members SET is_open = 1 WHERE keeping = 'SELF_CUSTODY';
CREATE INDEX members_unfinished ON members (enrolled_at) WHERE is_open = 0;

CREATE INDEX idempotency_by_member ON idempotency (member, expires_at);
