-- job_attempted_us.sql
-- Part of the fence of a rescue: when the attempt of river_job AS job started, in microseconds since 1970; NULL when it
-- has not, or at no moment of the clock, which another client may have written.
(extract(epoch FROM CASE WHEN isfinite(job.attempted_at) THEN job.attempted_at END) * 1000000)::bigint
