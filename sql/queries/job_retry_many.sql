-- job_retry_many.sql
-- Make jobs in some states available by hand.
--   in:    ids · states, those that count
--   out:   id of each job that is available now
--   locks: the jobs, in id order
--   index: river_job_pkey, river_job_unique_idx
-- A job whose unique key another unfinished job has, or an older one of the same batch gets, is left as it is.
WITH held AS MATERIALIZED (
    SELECT
        id, state, unique_key,
        unique_key IS NOT NULL AND unique_states IS NOT NULL
            AND river_job_state_in_bitmask(unique_states, 'available') AS needs_key
    FROM river_job
    WHERE id = ANY (%(ids)s::bigint[])
    ORDER BY id
    FOR UPDATE
),
wanted AS MATERIALIZED (
    SELECT id, unique_key, needs_key
    FROM held
    WHERE state::text = ANY (%(states)s::text[])
),
retried AS (
    UPDATE river_job AS job
    SET
        \ir parts/job_retried.sql
    FROM wanted
    WHERE job.id = wanted.id
        AND NOT (
            wanted.needs_key
            AND (
                EXISTS (
                    SELECT
                    FROM river_job AS other
                    WHERE other.unique_key = wanted.unique_key
                        AND other.unique_key IS NOT NULL
                        AND other.unique_states IS NOT NULL
                        AND river_job_state_in_bitmask(other.unique_states, other.state)
                        AND other.id <> wanted.id
                )
                OR EXISTS (
                    SELECT
                    FROM wanted AS older
                    WHERE older.unique_key = wanted.unique_key AND older.needs_key AND older.id < wanted.id
                )
            )
        )
    RETURNING job.id, job.queue
),
woken AS (
    SELECT pg_notify(
        coalesce(%(schema)s::text, current_schema()) || '.river_insert', json_build_object('queue', queue)::text
    )
    FROM (SELECT DISTINCT queue FROM retried) AS queues
)
SELECT id, (SELECT count(*) FROM woken) AS woken
FROM retried
