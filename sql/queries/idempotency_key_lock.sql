-- idempotency_key_lock.sql
-- Keep a key to this transaction, so that only one request with it does its work.
--   in:    token · key
--   out:   false when another transaction has it
--   locks: a transaction's advisory lock; never waits
SELECT pg_try_advisory_xact_lock(hashtextextended(%(token)s::text || ' ' || %(key)s::text, 7220611))
