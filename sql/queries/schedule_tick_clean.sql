-- schedule_tick_clean.sql
-- Forget ticks that are older than a week, schedule by schedule; schedules that are gone are found by their ticks.
--   in:    generation, the leader's term · batch
--   out:   deleted, how many · full, whether there may be more
--   locks: locked rows are left to the next time
--   index: riverrun_schedule_tick_pkey, one probe for each name and then a range
WITH RECURSIVE names AS (
    (SELECT schedule FROM riverrun_schedule_tick ORDER BY schedule LIMIT 1)
    UNION ALL
    SELECT (
        SELECT tick.schedule
        FROM riverrun_schedule_tick AS tick
        WHERE tick.schedule > names.schedule
        ORDER BY tick.schedule
        LIMIT 1
    )
    FROM names
    WHERE names.schedule IS NOT NULL
),
old AS MATERIALIZED (
    SELECT aged.schedule, aged.tick
    FROM names
    CROSS JOIN LATERAL (
        SELECT tick.schedule, tick.tick
        FROM riverrun_schedule_tick AS tick
        WHERE tick.schedule = names.schedule AND tick.tick < now() - interval '7 days'
        ORDER BY tick.tick
        LIMIT %(batch)s::int
        FOR UPDATE SKIP LOCKED
    ) AS aged
    WHERE EXISTS (SELECT FROM riverrun_leader WHERE generation = %(generation)s::bigint)
    LIMIT %(batch)s::int
),
deleted AS (
    DELETE FROM riverrun_schedule_tick AS kept
    USING old
    WHERE kept.schedule = old.schedule AND kept.tick = old.tick
)
SELECT count(*) AS deleted, count(*) >= %(batch)s::int AS "full" FROM old
