-- job_refresh.sql
-- Make long jobs look young to a client of River that leads: its rescuer discards what has run for an hour and is of a
-- kind that it does not know. Does nothing while no such client leads.
--   in:    parallel arrays ids, attempts, attempted_us (the fence), started_us (when the attempt began) · incarnation ·
--          family, how the ids of all our schedulers begin · older_than, seconds since attempted_at
--   out:   id and the attempted_us that is now part of the fence
--   locks: the jobs, in id order; one that somebody else holds is left to the next time
--   index: river_job_pkey
-- The start of the attempt goes into the metadata: by it the attempt knows its row when this answer is lost, and so does
-- a callback. It counts only beside the attempted_at that was written with it: another claim leaves it behind.
WITH held AS MATERIALIZED (
    SELECT job.id, mine.started_us
    FROM unnest(%(ids)s::bigint[], %(attempts)s::smallint[], %(attempted_us)s::bigint[], %(started_us)s::bigint[])
        AS mine (id, attempt, attempted_us, started_us)
    JOIN river_job AS job ON job.id = mine.id
    WHERE job.state::text = 'running'
        AND job.attempt = mine.attempt
        AND job.attempted_at < now() - make_interval(secs => %(older_than)s::float8)
        AND (
            job.attempted_at = timestamptz 'epoch' + mine.attempted_us * interval '1 microsecond'
            OR (
                job.metadata -> 'riverrun:started_us' = to_jsonb(mine.started_us)
                AND job.metadata -> 'riverrun:refreshed_us'
                    = to_jsonb((extract(epoch FROM job.attempted_at) * 1000000)::bigint)
            )
        )
        AND job.attempted_by[cardinality(job.attempted_by)] = %(incarnation)s::text
        AND EXISTS (
            SELECT
            FROM river_leader
            WHERE expires_at >= now() AND NOT starts_with(leader_id, %(family)s::text)
        )
    ORDER BY job.id
    FOR UPDATE OF job SKIP LOCKED
)
UPDATE river_job AS job
SET attempted_at = now(),
    metadata =
        \ir parts/job_members.sql
        || jsonb_build_object(
            'riverrun:started_us', held.started_us,
            'riverrun:refreshed_us', (extract(epoch FROM now()) * 1000000)::bigint
        )
FROM held
WHERE job.id = held.id
RETURNING job.id, (extract(epoch FROM job.attempted_at) * 1000000)::bigint AS attempted_us
