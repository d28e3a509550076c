-- job_claim_one.sql
-- Mark the oldest job of a kind that waits, due or not, as running and return it as job_claim.sql does; for tests of
-- handlers, which do not want to wait until a job is due.
--   in:    kind · id, one job of the kind, or NULL · incarnation, who will run it
--   out:   the queue, and what job_claim.sql returns; no row when no job of the kind waits
--   locks: the job; those that somebody else is claiming are skipped
--   index: river_job_pkey; a table under test is small
WITH due AS MATERIALIZED (
    SELECT id
    FROM river_job
    WHERE kind = %(kind)s::text
        AND (%(id)s::bigint IS NULL OR id = %(id)s::bigint)
        AND state IN ('available', 'pending', 'retryable', 'scheduled')
    ORDER BY id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
\ir parts/job_mark_running.sql
RETURNING
    job.queue,
    \ir parts/job_claimed.sql
