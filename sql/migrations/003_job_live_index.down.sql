-- no transaction: dropped beside running readers, which PostgreSQL does only outside of one
--   locks: SHARE UPDATE EXCLUSIVE on river_job; waits for transactions that use the index
DROP INDEX CONCURRENTLY IF EXISTS riverrun_job_live_index;
