-- callback_find.sql
-- Return the present attempt of a job, for a service that says something about it.
--   in:    id
--   out:   key of the callbacks of its handler, NULL: no handler · state · incarnation that holds it · kind · attempt ·
--          max_attempts · errors · attempted_us · metadata
--   locks: the job: what a service says twice at once is written one after the other
--   index: river_job_pkey, riverrun_handler_pkey
SELECT
    handler.callback_key,
    job.state::text,
    job.attempted_by[cardinality(job.attempted_by)] AS incarnation,
    job.kind,
    job.attempt,
    job.max_attempts,
    coalesce(cardinality(job.errors), 0) AS errors,
    (extract(epoch FROM job.attempted_at) * 1000000)::bigint AS attempted_us,
    job.metadata::text
FROM river_job AS job
LEFT JOIN riverrun_handler AS handler ON handler.kind = job.kind
WHERE job.id = %(id)s::bigint
FOR UPDATE OF job
