-- no transaction: built beside running writers, which PostgreSQL does only outside of one
-- What claims, rescues and every look at unfinished jobs read: those of one state and queue, best first.
--   A job that ends leaves this index, so it stays as small as the work that is left, however long the history.
--   locks: SHARE UPDATE EXCLUSIVE on river_job; waits for transactions that are older than itself
CREATE INDEX CONCURRENTLY IF NOT EXISTS riverrun_job_live_index
ON river_job (state, queue, priority, scheduled_at, id)
WHERE state IN ('available', 'pending', 'retryable', 'running', 'scheduled');
