-- job_own_end.sql
-- Find out why attempts could not be ended: their job is locked just now, or has been ended by them before, in a
-- statement whose answer was lost or in the handler's own transaction. Both leave the fence of the attempt in the row.
--   in:    parallel arrays ids, attempts, attempted_us (the fence), started_us, states (the wanted ones) and
--          given_back · incarnation
--   out:   id, state and attempted_us of each job that is still the attempt's (running) or was ended by it; one that is
--          missing has been taken from it
--   locks: none
--   index: river_job_pkey; the state is compared as text so that no partial index full of dead entries is taken
-- A job that was made to look young (job_refresh.sql) is known by the start of the attempt in its metadata.
SELECT job.id, job.state::text, (extract(epoch FROM job.attempted_at) * 1000000)::bigint AS attempted_us
FROM unnest(
    %(ids)s::bigint[],
    %(attempts)s::smallint[],
    %(attempted_us)s::bigint[],
    %(started_us)s::bigint[],
    %(states)s::text[],
    %(given_back)s::bool[]
) AS done (id, attempt, attempted_us, started_us, state, given_back)
JOIN river_job AS job ON job.id = done.id
WHERE (
        job.attempted_at = timestamptz 'epoch' + done.attempted_us * interval '1 microsecond'
        OR (
            job.metadata -> 'riverrun:started_us' = to_jsonb(done.started_us)
            AND job.metadata -> 'riverrun:refreshed_us'
                = to_jsonb((extract(epoch FROM job.attempted_at) * 1000000)::bigint)
        )
    )
    AND job.attempted_by[cardinality(job.attempted_by)] = %(incarnation)s::text
    AND (
        (job.attempt = done.attempt AND job.state::text IN ('running', 'completed', 'cancelled', done.state))
        OR (done.given_back AND job.attempt = done.attempt - 1 AND job.state::text IN (done.state, 'pending'))
    )
