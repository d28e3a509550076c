-- schedule_tick_list.sql
-- Return the newest ticks of schedules and how their jobs stand.
--   in:    names of schedules · rows, for each of them
--   out:   schedule · tick · job_id · state, attempted_at and finalized_at of the job; NULL when it was kept away by its
--          unique key, or has been deleted; the newest tick of each schedule first
--   locks: none
--   index: riverrun_schedule_tick_pkey, river_job_pkey
SELECT
    named.name, ticked.tick, ticked.job_id, job.state::text, job.attempted_at, job.finalized_at
FROM unnest(%(names)s::text[]) AS named (name)
CROSS JOIN LATERAL (
    SELECT tick.tick, tick.job_id
    FROM riverrun_schedule_tick AS tick
    WHERE tick.schedule = named.name
    ORDER BY tick.tick DESC
    LIMIT %(rows)s::int
) AS ticked
LEFT JOIN river_job AS job ON job.id = ticked.job_id
ORDER BY named.name, ticked.tick DESC
