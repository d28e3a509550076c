-- schedule_list.sql
-- Return schedules, whole.
--   in:    name, or NULL for all
--   out:   the schedules in the order of their names
--   locks: none
--   index: riverrun_schedule_pkey
SELECT
    name, kind, args::text, expression, timezone, queue, priority, max_attempts, tags, metadata::text, missed, source,
    paused_at, last_tick, revision, created_at, updated_at, run_on_start, unique_by::text
FROM riverrun_schedule
WHERE %(name)s::text IS NULL OR name = %(name)s::text
ORDER BY name
