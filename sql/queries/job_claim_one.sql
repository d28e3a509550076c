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
UPDATE river_job AS job
SET state = 'running',
    attempt = job.attempt + 1,
    attempted_at = now(),
    attempted_by = array_append(job.attempted_by, %(incarnation)s::text)
FROM due
WHERE job.id = due.id
RETURNING
    job.queue,
    job.id,
    job.kind,
    job.args::text,
    job.attempt,
    job.max_attempts,
    job.priority,
    job.metadata::text,
    job.tags,
    coalesce(cardinality(job.errors), 0) AS errors,
    (extract(epoch FROM job.attempted_at) * 1000000)::bigint AS attempted_us,
    (extract(epoch FROM job.scheduled_at) * 1000000)::bigint AS scheduled_us,
    (extract(epoch FROM job.created_at) * 1000000)::bigint AS created_us
