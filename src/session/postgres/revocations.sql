CREATE TABLE IF NOT EXISTS "waxseal_revocations" (
    revocation bytea PRIMARY KEY,
    expires timestamptz NOT NULL,
    transaction bigint NOT NULL DEFAULT txid_current()
);
CREATE INDEX IF NOT EXISTS "waxseal_revocations_transaction"
    ON "waxseal_revocations" (transaction, revocation);
CREATE INDEX IF NOT EXISTS "waxseal_revocations_expires" ON "waxseal_revocations" (expires);
