-- no transaction: dropped beside running readers, which PostgreSQL does only outside of one
-- Drop those of River's indexes on river_job that no claim, run or end of a job reads.
--   Each of them is written three times for every job. riverrun_job_live_index serves what River's clients read
--   through the first; only searches by arguments, metadata or kind alone read the others.
--   locks: SHARE UPDATE EXCLUSIVE on river_job; waits for transactions that use the index
DROP INDEX CONCURRENTLY IF EXISTS river_job_prioritized_fetching_index;

DROP INDEX CONCURRENTLY IF EXISTS river_job_kind;

DROP INDEX CONCURRENTLY IF EXISTS river_job_args_index;

DROP INDEX CONCURRENTLY IF EXISTS river_job_metadata_index;
