-- job_first_attempt.sql
-- Say when the first of a range of jobs was claimed.
--   in:    first, last: ids
--   out:   seconds since 1970
--   index: river_job_pkey
SELECT extract(epoch FROM min(attempted_at))::float8
FROM river_job
WHERE id BETWEEN %(first)s::bigint AND %(last)s::bigint
