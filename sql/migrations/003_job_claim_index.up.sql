-- no transaction: built beside running writers, which PostgreSQL does only outside of one
-- What a claim reads: the available jobs of one queue, best first.
--   locks: SHARE UPDATE EXCLUSIVE on river_job; waits for transactions that are older than itself
CREATE INDEX CONCURRENTLY IF NOT EXISTS riverrun_job_claim_index
ON river_job (queue, priority, scheduled_at, id)
WHERE state = 'available';
