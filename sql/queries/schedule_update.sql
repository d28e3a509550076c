-- schedule_update.sql
-- Change a schedule that was made through the API or the command line.
--   in:    as schedule_create.sql · revision that the sender has seen, or NULL for whatever is there
--   out:   source and revision before, and whether it was changed; no row when there is no such schedule
--   locks: the schedule
--   index: riverrun_schedule_pkey
-- With another expression it starts anew: ticks of the new one that have passed are nothing that was missed.
WITH held AS MATERIALIZED (
    SELECT name, source, revision
    FROM riverrun_schedule
    WHERE name = %(name)s::text
    FOR UPDATE
),
changed AS (
    UPDATE riverrun_schedule AS schedule
    SET kind = %(kind)s::text,
        args = %(args)s::text::jsonb,
        expression = %(expression)s::text,
        timezone = %(timezone)s::text,
        queue = %(queue)s::text,
        priority = %(priority)s::smallint,
        max_attempts = %(max_attempts)s::smallint,
        tags = ARRAY(SELECT jsonb_array_elements_text(%(tags)s::text::jsonb))::varchar(255)[],
        metadata = %(metadata)s::text::jsonb,
        missed = %(missed)s::text,
        run_on_start = %(run_on_start)s::boolean,
        unique_by = %(unique_by)s::text::jsonb,
        last_tick = CASE
            WHEN schedule.expression = %(expression)s::text AND schedule.timezone = %(timezone)s::text
                THEN schedule.last_tick
            ELSE now()
        END,
        revision = nextval('riverrun_revision_seq'),
        updated_at = now()
    FROM held
    WHERE schedule.name = held.name
        AND held.source = 'api'
        AND (%(revision)s::bigint IS NULL OR held.revision = %(revision)s::bigint)
    RETURNING schedule.name
)
SELECT held.source, held.revision, EXISTS (SELECT FROM changed) AS changed
FROM held
