-- no transaction: built beside running writers, which PostgreSQL does only outside of one
--   locks: SHARE UPDATE EXCLUSIVE on river_job; waits for transactions that are older than itself
CREATE INDEX CONCURRENTLY IF NOT EXISTS river_job_prioritized_fetching_index
ON river_job (state, queue, priority, scheduled_at, id);

CREATE INDEX CONCURRENTLY IF NOT EXISTS river_job_kind ON river_job (kind);

CREATE INDEX CONCURRENTLY IF NOT EXISTS river_job_args_index ON river_job USING gin (args);

CREATE INDEX CONCURRENTLY IF NOT EXISTS river_job_metadata_index ON river_job USING gin (metadata);
