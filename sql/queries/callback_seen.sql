-- callback_seen.sql
-- Return what became of attempts whose service will say how they end.
--   in:    parallel arrays ids, attempts, started_us (when each attempt began)
--   out:   id · whether the attempt has ended · state · whether it was not counted · how often its service was heard of ·
--          the last error of the job once it does not run
--   index: river_job_pkey
-- A job that was made to look young (job_refresh.sql) is known by the start of the attempt in its metadata.
SELECT
    job.id,
    job.state::text <> 'running'
    OR job.attempt <> waiting.attempt
    OR (
        job.attempted_at = timestamptz 'epoch' + waiting.started_us * interval '1 microsecond'
        OR (
            job.metadata -> 'riverrun:started_us' = to_jsonb(waiting.started_us)
            AND job.metadata -> 'riverrun:refreshed_us'
                = to_jsonb((extract(epoch FROM job.attempted_at) * 1000000)::bigint)
        )
    ) IS NOT TRUE AS ended,
    job.state::text,
    job.attempt < waiting.attempt AS given_back,
    CASE jsonb_typeof(job.metadata -> 'riverrun:callbacks')
        WHEN 'number' THEN least(greatest((job.metadata ->> 'riverrun:callbacks')::numeric, 0), 1000000000)::int
        ELSE 0
    END AS beats,
    CASE WHEN job.state::text <> 'running' THEN job.errors[cardinality(job.errors)] ->> 'error' END AS error
FROM unnest(%(ids)s::bigint[], %(attempts)s::smallint[], %(started_us)s::bigint[])
    AS waiting (id, attempt, started_us)
JOIN river_job AS job ON job.id = waiting.id
