-- job_retry.sql
-- Make a job available again by hand, whatever state it is in, unless it runs.
--   in:    id
--   out:   id, state and queue afterwards, and the state before; no row when there is no such job
--   locks: the job
--   index: river_job_pkey
-- Raises unique_violation when another unfinished job has the same unique key.
WITH held AS MATERIALIZED (
    SELECT id, state AS state_before, state = 'available' AND scheduled_at <= now() AS due
    FROM river_job
    WHERE id = %(id)s::bigint
    FOR UPDATE
),
retried AS (
    UPDATE river_job AS job
    SET
        \ir parts/job_retried.sql
    FROM held
    WHERE job.id = held.id AND held.state_before <> 'running' AND NOT held.due
    RETURNING job.id, job.queue
),
woken AS (
    SELECT pg_notify(
        coalesce(%(schema)s::text, current_schema()) || '.river_insert', '{"queue": ' || to_json(queue)::text || '}'
    )
    FROM retried
)
SELECT
    held.id,
    CASE WHEN held.state_before = 'running' THEN 'running' ELSE 'available' END AS state,
    held.state_before::text,
    (SELECT count(*) FROM woken) AS woken
FROM held
