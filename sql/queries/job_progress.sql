-- job_progress.sql
-- Merge metadata into running jobs: progress, and whatever a handler records in mid-run.
--   in:    parallel arrays ids, attempts, attempted_us (the fence) and patches (JSON text) · incarnation
--   out:   the ids that were written
--   locks: the jobs, in id order; one that somebody else holds keeps nobody waiting
--   index: river_job_pkey
WITH held AS MATERIALIZED (
    SELECT job.id, note.patch::jsonb AS patch
    FROM unnest(%(ids)s::bigint[], %(attempts)s::smallint[], %(attempted_us)s::bigint[], %(patches)s::text[])
        AS note (id, attempt, attempted_us, patch)
    JOIN river_job AS job ON job.id = note.id
    WHERE job.state::text = 'running'
        AND job.attempt = note.attempt
        AND job.attempted_at = timestamptz 'epoch' + note.attempted_us * interval '1 microsecond'
        AND job.attempted_by[cardinality(job.attempted_by)] = %(incarnation)s::text
    ORDER BY job.id
    FOR UPDATE OF job SKIP LOCKED
)
UPDATE river_job AS job
SET metadata =
        \ir parts/job_members.sql
        || held.patch
FROM held
WHERE job.id = held.id
RETURNING job.id
