-- job_finalize.sql
-- Write how attempts ended, whatever the ending.
--   in:    parallel arrays, one element an attempt: ids, attempts, attempted_us (the fence) · states, the wanted ones ·
--          given_back, whether the attempt does not count · errors, JSON text or NULL · delays, seconds until
--          scheduled_at or NULL to leave it · patches, JSON text merged into metadata or NULL · incarnation
--   out:   id and state of each job that was written; of one that is missing job_own_end.sql knows why
--   locks: the jobs, in id order; one that somebody else holds keeps nobody waiting
--   index: river_job_pkey; the state is compared as text so that no partial index full of dead entries is taken
-- One look-up a row, whatever the planner believes of the table: a join would now and then read the whole index.
-- A job that would run again although its cancellation was asked for is cancelled here: only the row knows.
WITH held AS MATERIALIZED (
    SELECT
        job.id,
        CASE
            WHEN done.state IN ('available', 'scheduled', 'retryable') AND job.metadata ? 'cancel_attempted_at'
                THEN 'cancelled'
            WHEN done.given_back AND done.state = 'available' AND job.metadata ? 'riverrun:isolated' THEN 'pending'
            ELSE done.state
        END::river_job_state AS state,
        done.given_back,
        done.error::jsonb AS error,
        done.delay,
        done.patch::jsonb AS patch
    FROM (
        SELECT id, attempt, attempted_us, state, given_back, error, delay, patch
        FROM unnest(
            %(ids)s::bigint[],
            %(attempts)s::smallint[],
            %(attempted_us)s::bigint[],
            %(states)s::text[],
            %(given_back)s::bool[],
            %(errors)s::text[],
            %(delays)s::float8[],
            %(patches)s::text[]
        ) AS given (id, attempt, attempted_us, state, given_back, error, delay, patch)
        ORDER BY id
    ) AS done
    CROSS JOIN LATERAL (
        SELECT id, metadata
        FROM river_job
        WHERE id = done.id
            AND state::text = 'running'
            AND attempt = done.attempt
            AND attempted_at = timestamptz 'epoch' + done.attempted_us * interval '1 microsecond'
            AND attempted_by[cardinality(attempted_by)] = %(incarnation)s::text
        FOR UPDATE SKIP LOCKED
    ) AS job
)
UPDATE river_job AS job
SET state = held.state,
    attempt = CASE
        WHEN held.given_back AND held.state <> 'cancelled' THEN greatest(job.attempt - 1, 0)
        ELSE job.attempt
    END,
    errors = CASE WHEN held.error IS NULL THEN job.errors ELSE array_append(job.errors, held.error) END,
    finalized_at = CASE WHEN held.state IN ('cancelled', 'completed', 'discarded') THEN now() END,
    scheduled_at = CASE
        WHEN held.delay IS NULL OR held.state = 'cancelled' THEN job.scheduled_at
        ELSE now() + make_interval(secs => held.delay)
    END,
    metadata = CASE
        WHEN held.patch IS NULL THEN job.metadata
        ELSE
            \ir parts/job_members.sql
            || held.patch
    END
FROM held
WHERE job.id = held.id
RETURNING job.id, job.state::text
