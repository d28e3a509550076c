-- schedule_sync.sql
-- Make the schedules that came from a configuration file the ones that are in it now: added, changed, removed.
--   in:    generation, the leader's term · schedules, a JSON array of objects with the columns
--   out:   name and change: added, changed, removed, or taken when the API made a schedule of that name
--   locks: the schedules that change
--   index: riverrun_schedule_pkey
-- Those of the API are left alone, and so is a pause. With another expression a schedule starts anew.
WITH given AS MATERIALIZED (
    SELECT
        entry.name, entry.kind, entry.args, entry.expression, entry.timezone, entry.queue, entry.priority,
        entry.max_attempts, ARRAY(SELECT jsonb_array_elements_text(entry.tags))::varchar(255)[] AS tags, entry.missed,
        entry.run_on_start, nullif(entry.unique_by, 'null') AS unique_by
    FROM jsonb_to_recordset(%(schedules)s::text::jsonb) AS entry (
        name text, kind text, args jsonb, expression text, timezone text, queue text, priority smallint,
        max_attempts smallint, tags jsonb, missed text, run_on_start boolean, unique_by jsonb
    )
    WHERE EXISTS (SELECT FROM riverrun_leader WHERE generation = %(generation)s::bigint)
),
removed AS (
    DELETE FROM riverrun_schedule AS schedule
    WHERE schedule.source = 'config'
        AND NOT EXISTS (SELECT FROM given WHERE given.name = schedule.name)
        AND EXISTS (SELECT FROM riverrun_leader WHERE generation = %(generation)s::bigint)
    RETURNING schedule.name
),
written AS (
    INSERT INTO riverrun_schedule AS schedule (
        name, kind, args, expression, timezone, queue, priority, max_attempts, tags, missed, run_on_start, unique_by,
        source
    )
    SELECT
        name, kind, args, expression, timezone, queue, priority, max_attempts, tags, missed, run_on_start, unique_by,
        'config'
    FROM given
    ORDER BY name
    ON CONFLICT (name) DO UPDATE
    SET kind = excluded.kind,
        args = excluded.args,
        expression = excluded.expression,
        timezone = excluded.timezone,
        queue = excluded.queue,
        priority = excluded.priority,
        max_attempts = excluded.max_attempts,
        tags = excluded.tags,
        missed = excluded.missed,
        run_on_start = excluded.run_on_start,
        unique_by = excluded.unique_by,
        last_tick = CASE
            WHEN schedule.expression = excluded.expression AND schedule.timezone = excluded.timezone
                THEN schedule.last_tick
            ELSE now()
        END,
        revision = nextval('riverrun_revision_seq'),
        updated_at = now()
    WHERE schedule.source = 'config'
        AND (
            schedule.kind, schedule.args, schedule.expression, schedule.timezone, schedule.queue, schedule.priority,
            schedule.max_attempts, schedule.tags, schedule.missed, schedule.run_on_start, schedule.unique_by
        ) IS DISTINCT FROM (
            excluded.kind, excluded.args, excluded.expression, excluded.timezone, excluded.queue, excluded.priority,
            excluded.max_attempts, excluded.tags, excluded.missed, excluded.run_on_start, excluded.unique_by
        )
    RETURNING schedule.name, schedule.created_at = now() AS added
)
SELECT name, 'removed' AS change FROM removed
UNION ALL
SELECT name, CASE WHEN added THEN 'added' ELSE 'changed' END FROM written
UNION ALL
SELECT given.name, 'taken'
FROM given
JOIN riverrun_schedule AS schedule ON schedule.name = given.name
WHERE schedule.source = 'api'
ORDER BY name
