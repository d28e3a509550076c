-- job_mark_running.sql
-- Part of a claim: mark the jobs that stand in due as running.
--   in:    incarnation, the executor that will run them
--   out:   river_job AS job, for RETURNING
-- The attempt is counted here, so an executor that dies right after has used one up. Of those who had the job before,
-- the last 99 are kept.
UPDATE river_job AS job
SET state = 'running',
    attempt = least(job.attempt + 1, 32767),  -- the last number there is; one more would stop the whole queue
    attempted_at = now(),
    attempted_by = array_append(
        CASE
            WHEN cardinality(job.attempted_by) >= 100 THEN job.attempted_by[cardinality(job.attempted_by) - 98:]
            ELSE job.attempted_by
        END,
        %(incarnation)s::text
    )
FROM due
WHERE job.id = due.id
