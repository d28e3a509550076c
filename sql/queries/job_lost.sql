-- job_lost.sql
-- Find running jobs that nobody runs any more.
--   in:    missing, executors of ours that have had no lease for long · stuck_seconds, how long a job of another River
--          client may run · after, the last id of the page before, 0 first · batch
--   out:   id, attempt, attempted_us, incarnation (the fence of a rescue), errors and rescues so far, and why it is
--          lost: expired, missing or stuck; in the order of ids
--   locks: none; the rescue compares the fence
--   index: riverrun_job_live_index (state)
-- attempted_at alone says nothing about executors of ours: a job may run for days while their lease is renewed.
SELECT
    job.id,
    job.attempt,
    \ir parts/job_attempted_us.sql
    AS attempted_us,
    job.attempted_by[cardinality(job.attempted_by)] AS incarnation,
    coalesce(cardinality(job.errors), 0) AS errors,
    CASE
        WHEN jsonb_typeof(job.metadata -> 'river:rescue_count') = 'number'
            THEN least(greatest(trunc((job.metadata ->> 'river:rescue_count')::numeric), 0), 32767)::int
        ELSE 0
    END AS rescues,
    CASE
        WHEN executor.incarnation IS NOT NULL THEN 'expired'
        WHEN job.attempted_by[cardinality(job.attempted_by)] = ANY (%(missing)s::text[]) THEN 'missing'
        ELSE 'stuck'
    END AS reason
FROM river_job AS job
LEFT JOIN riverrun_executor AS executor ON executor.incarnation = job.attempted_by[cardinality(job.attempted_by)]
WHERE job.state = 'running'
    AND job.id > %(after)s::bigint
    AND CASE
        WHEN executor.incarnation IS NOT NULL THEN executor.lease_until < now() - interval '1 second'
        WHEN job.attempted_by[cardinality(job.attempted_by)] = ANY (%(missing)s::text[]) THEN true
        WHEN job.attempted_by[cardinality(job.attempted_by)] ~
            \ir parts/incarnation_of_ours.sql
            THEN false
        ELSE coalesce(job.attempted_at, job.created_at) < now() - make_interval(secs => %(stuck_seconds)s::float8)
    END
ORDER BY job.id
LIMIT %(batch)s::int
