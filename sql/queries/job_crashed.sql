-- job_crashed.sql
-- Take back the running jobs of an executor process that has ended in the middle of them, and count what happened.
--   in:    incarnation · counts, whether the end may be the fault of one of them · alone, whether the process ran one job
--          at a time and apart from others · by_hand, whether somebody killed it for reasons of their own · reason, how
--          it ended · details, JSON text kept with a job that is given up · last_words, what the process wrote last
--   out:   id, attempt that ended, state, queue and kind of each job; one that is locked, just being finished, is missing
--   locks: the jobs in id order; locked ones are left to the next time
--   index: riverrun_job_live_index (state)
-- A job is never charged for running beside one that crashes: it is given back with its attempt. From its second crash
-- on it waits as pending, which nothing claims but the isolated executor of its queue; a crash there is its own. A kill
-- by hand there proves nothing; its 25th crash does, so that a job which kills its own process comes to an end as well.
WITH held AS MATERIALIZED (
    SELECT
        id,
        attempt,
        max_attempts,
        metadata ? 'cancel_attempted_at' AS cancelled,
        %(counts)s::bool::int + CASE
            WHEN jsonb_typeof(metadata -> 'riverrun:crashes') = 'number'
                THEN least(greatest(trunc((metadata ->> 'riverrun:crashes')::numeric), 0), 1000)::int
            ELSE 0
        END AS crashes
    FROM river_job
    WHERE state = 'running' AND attempted_by[cardinality(attempted_by)] = %(incarnation)s::text
    ORDER BY id
    FOR UPDATE SKIP LOCKED
),
decided AS (
    SELECT
        id,
        attempt,
        crashes,
        CASE
            WHEN cancelled THEN 'cancelled'
            WHEN %(counts)s::bool AND %(alone)s::bool AND (NOT %(by_hand)s::bool OR crashes >= greatest(max_attempts, 25))
                THEN 'discarded'
            WHEN crashes >= 2 OR %(alone)s::bool THEN 'pending'
            ELSE 'available'
        END::river_job_state AS state
    FROM held
)
UPDATE river_job AS job
SET state = decided.state,
    attempt = CASE
        WHEN decided.state IN ('available', 'pending') THEN greatest(job.attempt - 1, 0)
        ELSE job.attempt
    END,
    errors = CASE
        WHEN decided.state = 'available' OR NOT %(counts)s::bool AND decided.state = 'pending' THEN job.errors
        ELSE array_append(
            job.errors,
            jsonb_build_object(
                'at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                'attempt', job.attempt,
                'error', %(reason)s::text || CASE decided.state
                    WHEN 'pending' THEN '; the job runs alone ' || CASE WHEN %(alone)s::bool THEN 'again' ELSE 'from now on' END
                    WHEN 'discarded' THEN ' while the job ran alone; it is quarantined'
                    ELSE ''
                END,
                'trace', CASE WHEN decided.state = 'discarded' THEN %(last_words)s::text ELSE '' END
            )
        )
    END,
    finalized_at = CASE WHEN decided.state IN ('cancelled', 'discarded') THEN now() END,
    metadata =
        \ir parts/job_members.sql
        || CASE
            WHEN %(counts)s::bool THEN jsonb_build_object('riverrun:crashes', decided.crashes)
            ELSE '{}'
        END
        || CASE decided.state
            WHEN 'pending' THEN '{"riverrun:isolated": true}'
            WHEN 'discarded' THEN jsonb_build_object('riverrun:quarantined', %(details)s::jsonb)
            ELSE '{}'
        END
FROM decided
WHERE job.id = decided.id
RETURNING job.id, decided.attempt, job.state::text, job.queue, job.kind
