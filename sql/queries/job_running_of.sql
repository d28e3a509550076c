-- job_running_of.sql
-- Return the running jobs of one executor, with what a rescue needs.
--   in:    incarnation
--   out:   as job_lost.sql, in the order of ids
--   locks: none; the rescue compares the fence
--   index: riverrun_job_live_index (state)
SELECT
    id,
    attempt,
    (extract(epoch FROM attempted_at) * 1000000)::bigint AS attempted_us,
    %(incarnation)s::text AS incarnation,
    coalesce(cardinality(errors), 0) AS errors,
    CASE
        WHEN jsonb_typeof(metadata -> 'river:rescue_count') = 'number'
            THEN least(greatest(trunc((metadata ->> 'river:rescue_count')::numeric), 0), 32767)::int
        ELSE 0
    END AS rescues,
    'dead' AS reason
FROM river_job
WHERE state = 'running' AND attempted_by[cardinality(attempted_by)] = %(incarnation)s::text
ORDER BY id
