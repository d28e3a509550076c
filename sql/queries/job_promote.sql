-- job_promote.sql
-- Make jobs available whose time has come, earliest first, and wake the executors of their queues.
--   in:    generation, the leader's term · batch, how many to look at · where to begin (parts/due_after.sql)
--   out:   promoted, how many became available · reached_at and reached_id, the place of the last one that was looked
--          at, NULL without one · contested, ids of due jobs that take up a unique key by becoming
--          available and so may collide with another job; they are left to job_promote_contested.sql
--   locks: rows that somebody else holds are skipped, never waited for, so their order does not matter
--   index: riverrun_job_due_index, river_job_pkey; the ids go through an array because a join may be planned as a hash
--          join that reads the whole table
-- Of the columns only the state changes. A job that keeps the unique key it already holds collides with nobody and
-- waits for nobody, whatever other transactions are about to insert.
WITH due AS MATERIALIZED (
    SELECT
        id,
        scheduled_at,
        unique_key IS NOT NULL
            AND unique_states IS NOT NULL
            AND river_job_state_in_bitmask(unique_states, 'available')
            AND NOT river_job_state_in_bitmask(unique_states, state) AS contested
    FROM river_job
    WHERE state IN ('retryable', 'scheduled')
        AND scheduled_at <= now()
        AND
            \ir parts/due_after.sql
        AND EXISTS (SELECT FROM riverrun_leader WHERE generation = %(generation)s::bigint)
    ORDER BY scheduled_at, id
    LIMIT %(batch)s::int
    FOR UPDATE SKIP LOCKED
),
reached AS (
    SELECT scheduled_at, id
    FROM due
    ORDER BY scheduled_at DESC, id DESC
    LIMIT 1
),
promoted AS (
    UPDATE river_job AS job
    SET state = 'available'
    WHERE job.id = ANY (ARRAY(SELECT id FROM due WHERE NOT contested))
    RETURNING job.queue
),
woken AS (
    SELECT pg_notify(
        coalesce(%(schema)s::text, current_schema()) || '.river_insert', '{"queue": ' || to_json(queue)::text || '}'
    )
    FROM (SELECT DISTINCT queue FROM promoted) AS queues
)
SELECT
    (SELECT count(*) FROM promoted) AS promoted,
    ARRAY(SELECT id FROM due WHERE contested ORDER BY id) AS contested,
    (SELECT greatest(scheduled_at, 'epoch') FROM reached) AS reached_at,
    (SELECT id FROM reached) AS reached_id,
    (SELECT count(*) FROM woken) AS queues_woken
