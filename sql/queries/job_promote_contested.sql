-- job_promote_contested.sql
-- Make one due job available that takes up its unique key by that, or discard it when another job holds the key.
--   in:    generation, the leader's term · id
--   out:   state afterwards; no row when the job is not due any more or somebody else holds it
--   locks: the job
--   index: river_job_pkey, river_job_unique_idx
-- One job at a time: of several with one key the first becomes available and the others find it there. May wait for,
-- and raises unique_violation after, a transaction that inserts the same key at the same moment; the next try sees
-- that job. A loser whose mask counts even discarded jobs gives up its claim on the key, or it could not end at all.
WITH due AS MATERIALIZED (
    SELECT
        job.id,
        EXISTS (
            SELECT
            FROM river_job AS other
            WHERE other.unique_key = job.unique_key
                AND other.unique_key IS NOT NULL
                AND other.unique_states IS NOT NULL
                AND river_job_state_in_bitmask(other.unique_states, other.state)
                AND other.id <> job.id
        ) AS held_elsewhere
    FROM river_job AS job
    WHERE job.id = %(id)s::bigint
        AND job.state IN ('retryable', 'scheduled')
        AND job.scheduled_at <= now()
        AND EXISTS (SELECT FROM riverrun_leader WHERE generation = %(generation)s::bigint)
    FOR UPDATE OF job SKIP LOCKED
),
decided AS (
    UPDATE river_job AS job
    SET state = CASE WHEN due.held_elsewhere THEN 'discarded' ELSE 'available' END::river_job_state,
        finalized_at = CASE WHEN due.held_elsewhere THEN now() END,
        metadata = CASE
            WHEN due.held_elsewhere
                THEN
                    \ir parts/job_members.sql
                    || '{"unique_key_conflict": "scheduler_discarded"}'
            ELSE job.metadata
        END,
        unique_states = CASE
            WHEN due.held_elsewhere AND river_job_state_in_bitmask(job.unique_states, 'discarded') THEN NULL
            ELSE job.unique_states
        END
    FROM due
    WHERE job.id = due.id
    RETURNING job.state, job.queue
)
SELECT
    state::text,
    CASE
        WHEN state = 'available' THEN pg_notify(
            coalesce(%(schema)s::text, current_schema()) || '.river_insert', '{"queue": ' || to_json(queue)::text || '}'
        )
    END
FROM decided
