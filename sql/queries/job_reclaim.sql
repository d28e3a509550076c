-- job_reclaim.sql
-- Claim jobs again whose claim the server has lost: their commits did not wait for the disk, and the handlers run.
--   in:    parallel arrays ids, attempts, attempted_us (the fence) · incarnation
--   out:   nothing
--   locks: the jobs, in id order; one that somebody is claiming or changing is left to them
--   index: river_job_pkey
-- A claim that was undone leaves the row as it was before: one attempt less, and available, or pending in the isolated
-- lane. The attempt keeps its number and its start, so every write of it fits again.
WITH undone AS MATERIALIZED (
    SELECT job.id, held.attempted_us
    FROM unnest(%(ids)s::bigint[], %(attempts)s::smallint[], %(attempted_us)s::bigint[])
        AS held (id, attempt, attempted_us)
    JOIN river_job AS job ON job.id = held.id
    WHERE least(job.attempt + 1, 32767) = held.attempt
        AND (job.state::text = 'available' OR (job.state::text = 'pending' AND job.metadata ? 'riverrun:isolated'))
    ORDER BY job.id
    FOR UPDATE OF job SKIP LOCKED
)
UPDATE river_job AS job
SET state = 'running',
    attempt = least(job.attempt + 1, 32767),
    attempted_at = timestamptz 'epoch' + undone.attempted_us * interval '1 microsecond',
    attempted_by =
        \ir parts/job_attempted_by.sql
FROM undone
WHERE job.id = undone.id
