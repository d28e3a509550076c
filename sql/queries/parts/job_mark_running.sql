-- job_mark_running.sql
-- Part of a claim: mark the jobs that stand in due as running.
--   in:    incarnation, the executor that will run them
--   out:   river_job AS job, for RETURNING
-- The attempt is counted here, so an executor that dies right after has used one up.
UPDATE river_job AS job
SET state = 'running',
    attempt = least(job.attempt + 1, 32767),  -- the last number there is; one more would stop the whole queue
    attempted_at = now(),
    attempted_by =
        \ir job_attempted_by.sql
FROM due
WHERE job.id = due.id
