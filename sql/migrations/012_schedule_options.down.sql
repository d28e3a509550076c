-- Forget which schedules enqueue at the start, and which of their jobs are unique.
--   locks: ACCESS EXCLUSIVE on riverrun_schedule for an instant
ALTER TABLE riverrun_schedule
DROP COLUMN IF EXISTS run_on_start,
DROP COLUMN IF EXISTS unique_by;
