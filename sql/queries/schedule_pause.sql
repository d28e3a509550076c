-- schedule_pause.sql
-- Pause a schedule, wherever it came from; one that is paused already keeps the time at which it was.
--   in:    name
--   out:   name; no row when there is no such schedule
--   locks: the schedule
--   index: riverrun_schedule_pkey
UPDATE riverrun_schedule
SET paused_at = coalesce(paused_at, now()),
    revision = CASE WHEN paused_at IS NULL THEN nextval('riverrun_revision_seq') ELSE revision END,
    updated_at = CASE WHEN paused_at IS NULL THEN now() ELSE updated_at END
WHERE name = %(name)s::text
RETURNING name
