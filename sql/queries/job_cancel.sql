-- job_cancel.sql
-- Cancel jobs: those that wait at once, those that run by asking their executors.
--   in:    ids
--   out:   id, the state afterwards, and the state before, of every job that exists
--   locks: the jobs, in id order
--   index: river_job_pkey
-- A finalized job is left as it is. The row is the truth; the notification only makes executors look sooner.
WITH held AS MATERIALIZED (
    SELECT id, state AS state_before
    FROM river_job
    WHERE id = ANY (%(ids)s::bigint[])
    ORDER BY id
    FOR UPDATE
),
cancelled AS (
    UPDATE river_job AS job
    SET state = CASE WHEN job.state = 'running' THEN job.state ELSE 'cancelled' END,
        finalized_at = CASE WHEN job.state = 'running' THEN NULL ELSE now() END,
        metadata =
            \ir parts/job_members.sql
            || jsonb_build_object('cancel_attempted_at', now())
    FROM held
    WHERE job.id = held.id AND held.state_before NOT IN ('cancelled', 'completed', 'discarded')
    RETURNING job.id, job.state, job.queue
),
told AS (
    SELECT pg_notify(
        coalesce(%(schema)s::text, current_schema()) || '.river_control',
        json_build_object('action', 'cancel', 'job_id', id, 'queue', queue)::text
    )
    FROM cancelled
)
SELECT
    held.id,
    coalesce(cancelled.state, held.state_before)::text AS state,
    held.state_before::text,
    (SELECT count(*) FROM told) AS told
FROM held
LEFT JOIN cancelled ON cancelled.id = held.id
ORDER BY held.id
