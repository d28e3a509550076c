-- Let a schedule enqueue a job when a leader begins, and none while such a job is there.
--   locks: ACCESS EXCLUSIVE on riverrun_schedule for an instant
ALTER TABLE riverrun_schedule
ADD COLUMN IF NOT EXISTS run_on_start boolean NOT NULL DEFAULT false,
ADD COLUMN IF NOT EXISTS unique_by jsonb;

COMMENT ON COLUMN riverrun_schedule.unique_by IS 'What makes two jobs of it the same, as in the API; NULL: nothing does.';
