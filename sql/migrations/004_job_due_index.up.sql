-- no transaction: built beside running writers, which PostgreSQL does only outside of one
-- What promotion reads: the jobs that wait for their time, earliest first.
--   locks: SHARE UPDATE EXCLUSIVE on river_job; waits for transactions that are older than itself
CREATE INDEX CONCURRENTLY IF NOT EXISTS riverrun_job_due_index
ON river_job (scheduled_at, id)
WHERE state IN ('retryable', 'scheduled');
