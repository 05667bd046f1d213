CREATE TABLE IF NOT EXISTS "waxseal_sessions" (
    key bytea PRIMARY KEY,
    values jsonb NOT NULL,
    expires timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS "waxseal_sessions_user"
    ON "waxseal_sessions" ((left(values->>'username', 500)) COLLATE "C", expires);
CREATE INDEX IF NOT EXISTS "waxseal_sessions_expires" ON "waxseal_sessions" (expires);
