-- job_count_matching.sql
-- Count the jobs that a filter names, up to a cap.
--   in:    states · queues · the filter, as parts/job_matches.sql has it · cap
--   out:   how many, at most cap
--   index: none serves every filter; the statement's time limit bounds what is read
SELECT count(*)
FROM (
    SELECT 1
    FROM river_job AS job
    WHERE (%(states)s::text[] IS NULL OR job.state = ANY (%(states)s::text[]::river_job_state[]))
        AND (%(queues)s::text[] IS NULL OR job.queue = ANY (%(queues)s::text[]))
        \ir parts/job_matches.sql
    LIMIT %(cap)s::int
) AS found
