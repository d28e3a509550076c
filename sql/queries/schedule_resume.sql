-- schedule_resume.sql
-- Let a paused schedule go on from now: ticks that passed meanwhile were meant to be left out.
--   in:    name
--   out:   name; no row when there is no such schedule
--   locks: the schedule
--   index: riverrun_schedule_pkey
UPDATE riverrun_schedule
SET last_tick = CASE WHEN paused_at IS NULL THEN last_tick ELSE now() END,
    revision = CASE WHEN paused_at IS NULL THEN revision ELSE nextval('riverrun_revision_seq') END,
    updated_at = CASE WHEN paused_at IS NULL THEN updated_at ELSE now() END,
    paused_at = NULL
WHERE name = %(name)s::text
RETURNING name
