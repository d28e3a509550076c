-- callback_seen.sql
-- Return what became of attempts whose service will say how they end.
--   in:    parallel arrays ids, attempts, attempted_us (the fence)
--   out:   id · whether the attempt has ended · state · whether it was not counted · how often its service was heard of
--   index: river_job_pkey
SELECT
    job.id,
    job.state::text <> 'running'
    OR job.attempt <> waiting.attempt
    OR job.attempted_at <> timestamptz 'epoch' + waiting.attempted_us * interval '1 microsecond' AS ended,
    job.state::text,
    job.attempt < waiting.attempt AS given_back,
    CASE jsonb_typeof(job.metadata -> 'riverrun:callbacks')
        WHEN 'number' THEN (job.metadata ->> 'riverrun:callbacks')::numeric::int ELSE 0
    END AS beats
FROM unnest(%(ids)s::bigint[], %(attempts)s::smallint[], %(attempted_us)s::bigint[])
    AS waiting (id, attempt, attempted_us)
JOIN river_job AS job ON job.id = waiting.id
