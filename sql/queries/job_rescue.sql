-- job_rescue.sql
-- Take running jobs back from executors that are gone: each gets an error and runs again when its retry is due, or
-- ends when its cancellation was asked for or no attempt is left.
--   in:    parallel arrays, one element a job: ids, attempts, attempted_us, incarnations (the fence), delays (seconds
--          until the retry), messages (text of the error) · generation, the leader's term, or NULL for a supervisor
--          that has seen the executor die
--   out:   id, attempt, state, queue and kind of each job that was rescued; one that is missing was finished by its executor
--          after all, or is being finished now
--   locks: the jobs in id order; locked ones are left to the next time
--   index: river_job_pkey; the state is compared as text so that no partial index full of dead entries is taken
-- Never straight to available: a job that kills its executors would do so as fast as they start.
WITH held AS MATERIALIZED (
    SELECT
        job.id,
        CASE
            WHEN job.metadata ? 'cancel_attempted_at' THEN 'cancelled'
            WHEN job.attempt >= job.max_attempts THEN 'discarded'
            ELSE 'retryable'
        END::river_job_state AS state,
        CASE
            WHEN jsonb_typeof(job.metadata -> 'river:rescue_count') = 'number'
                THEN trunc((job.metadata ->> 'river:rescue_count')::numeric)
            ELSE 0
        END AS rescues,
        lost.delay,
        lost.message
    FROM unnest(
        %(ids)s::bigint[],
        %(attempts)s::smallint[],
        %(attempted_us)s::bigint[],
        %(incarnations)s::text[],
        %(delays)s::float8[],
        %(messages)s::text[]
    ) AS lost (id, attempt, attempted_us, incarnation, delay, message)
    JOIN river_job AS job ON job.id = lost.id
    WHERE job.state::text = 'running'
        AND job.attempt = lost.attempt
        AND
            \ir parts/job_attempted_us.sql
            IS NOT DISTINCT FROM lost.attempted_us
        AND job.attempted_by[cardinality(job.attempted_by)] IS NOT DISTINCT FROM lost.incarnation
        AND (
            %(generation)s::bigint IS NULL
            OR EXISTS (SELECT FROM riverrun_leader WHERE generation = %(generation)s::bigint)
        )
    ORDER BY job.id
    FOR UPDATE OF job SKIP LOCKED
)
UPDATE river_job AS job
SET state = held.state,
    errors = array_append(
        job.errors,
        jsonb_build_object(
            'at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            'attempt', job.attempt,
            'error', held.message,
            'trace', ''
        )
    ),
    finalized_at = CASE WHEN held.state <> 'retryable' THEN now() END,
    scheduled_at = CASE
        WHEN held.state = 'retryable' THEN now() + make_interval(secs => held.delay)
        ELSE job.scheduled_at
    END,
    metadata =
        \ir parts/job_members.sql
        || jsonb_build_object('river:rescue_count', held.rescues + 1)
FROM held
WHERE job.id = held.id
RETURNING job.id, job.attempt, job.state::text, job.queue, job.kind
