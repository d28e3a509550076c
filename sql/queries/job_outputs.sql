-- job_outputs.sql
-- Return the numbers that handlers left as outputs.
--   in:    ids
--   out:   id and output of each of these jobs that has one
--   index: river_job_pkey
SELECT id, (metadata ->> 'output')::bigint
FROM river_job
WHERE id = ANY (%(ids)s::bigint[]) AND metadata ? 'output'
