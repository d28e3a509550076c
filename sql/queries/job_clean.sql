-- job_clean.sql
-- Delete finalized jobs that have been kept long enough, oldest first.
--   in:    generation, the leader's term · parallel arrays states and seconds: how long each state is kept ·
--          batch, the most to delete of each state
--   out:   deleted, how many · full, whether some state has more
--   locks: locked jobs are left to the next time, never waited for
--   index: river_job_state_and_finalized_at_index; the redundant IS NOT NULL lets it be used. river_job_pkey; the ids go
--          through an array because a join may be planned as a hash join that reads the whole table
WITH old AS MATERIALIZED (
    SELECT job.id, keep.state
    FROM unnest(%(states)s::text[], %(seconds)s::float8[]) AS keep (state, seconds)
    CROSS JOIN LATERAL (
        SELECT id
        FROM river_job
        WHERE state = keep.state::river_job_state
            AND finalized_at IS NOT NULL
            AND finalized_at < now() - make_interval(secs => keep.seconds)
        ORDER BY finalized_at
        LIMIT %(batch)s::int
        FOR UPDATE SKIP LOCKED
    ) AS job
    WHERE EXISTS (SELECT FROM riverrun_leader WHERE generation = %(generation)s::bigint)
),
deleted AS (
    DELETE FROM river_job
    WHERE id = ANY (ARRAY(SELECT id FROM old))
)
SELECT
    (SELECT count(*) FROM old) AS deleted,
    EXISTS (SELECT FROM old GROUP BY state HAVING count(*) >= %(batch)s::int) AS "full"
