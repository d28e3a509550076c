-- job_rescue_incarnation.sql
-- Take back the running jobs of one executor that is known to be dead, as River's rescuer does.
-- A crash is not the job's fault: the first time it is due again at once, later as River's retry policy says
-- ((errors + 1)^4 seconds, a tenth more or less, at most 292 years).
--   in:    incarnation text · error text: why the attempt ended
--   out:   id, kind, queue, state of each job that was taken back
--   locks: the jobs, in the order of their ids
--   index: river_job_prioritized_fetching_index (by state; few rows are running)
WITH lost AS (
    SELECT
        id,
        CASE
            WHEN metadata ->> 'cancel_attempted_at' IS NOT NULL THEN 'cancelled'
            WHEN attempt >= max_attempts THEN 'discarded'
            ELSE 'retryable'
        END AS next_state,
        CASE
            WHEN jsonb_typeof(metadata -> 'river:rescue_count') = 'number'
            THEN trunc((metadata ->> 'river:rescue_count')::numeric)
            ELSE 0
        END AS rescues,
        LEAST(power(COALESCE(cardinality(errors), 0) + 1, 4) * (0.9 + 0.2 * random()), 9223372036) AS delay
    FROM river_job
    WHERE state = 'running' AND attempted_by[array_upper(attempted_by, 1)] = %(incarnation)s::text
    ORDER BY id
    FOR UPDATE
)
UPDATE river_job AS job
SET state = lost.next_state::river_job_state,
    finalized_at = CASE WHEN lost.next_state = 'retryable' THEN NULL ELSE now() END,
    scheduled_at = CASE
        WHEN lost.next_state <> 'retryable' THEN job.scheduled_at
        WHEN lost.rescues < 1 THEN now()
        ELSE now() + make_interval(secs => lost.delay)
    END,
    metadata = jsonb_set(job.metadata, '{river:rescue_count}', to_jsonb(lost.rescues + 1)),
    errors = array_append(job.errors, jsonb_build_object(
        'at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'attempt', job.attempt,
        'error', %(error)s::text,
        'trace', ''
    ))
FROM lost
WHERE job.id = lost.id
RETURNING job.id, job.kind, job.queue, job.state::text;
