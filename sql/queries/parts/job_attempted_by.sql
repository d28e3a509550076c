-- job_attempted_by.sql
-- Part of a claim: who had river_job AS job before, the last 99 of them, and who has it now.
--   in:    incarnation, the executor that runs it
array_append(
    CASE
        WHEN cardinality(job.attempted_by) >= 100 THEN job.attempted_by[cardinality(job.attempted_by) - 98:]
        ELSE job.attempted_by
    END,
    %(incarnation)s::text
)
