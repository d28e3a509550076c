-- schedule_delete.sql
-- Delete a schedule that was made through the API or the command line; jobs it has enqueued stay.
--   in:    name · revision that the sender has seen, or NULL for whatever is there
--   out:   source and revision before, and whether it was deleted; no row when there is no such schedule
--   locks: the schedule
--   index: riverrun_schedule_pkey
WITH held AS MATERIALIZED (
    SELECT name, source, revision
    FROM riverrun_schedule
    WHERE name = %(name)s::text
    FOR UPDATE
),
changed AS (
    DELETE FROM riverrun_schedule AS schedule
    USING held
    WHERE schedule.name = held.name
        AND held.source = 'api'
        AND (%(revision)s::bigint IS NULL OR held.revision = %(revision)s::bigint)
    RETURNING schedule.name
)
SELECT held.source, held.revision, EXISTS (SELECT FROM changed) AS changed
FROM held
