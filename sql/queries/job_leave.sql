-- job_leave.sql
-- Merge what an attempt has left into a job that somebody else finalized while it ran; the state stays theirs.
--   in:    parallel arrays ids, attempts, attempted_us (the fence) and patches (JSON text) · incarnation
--   out:   the ids that are still to be written, since somebody else holds their rows; into a job of which another
--          attempt has begun, or may begin, nothing is merged
--   locks: the jobs, in id order; one that somebody else holds keeps nobody waiting
--   index: river_job_pkey
WITH noted AS MATERIALIZED (
    SELECT job.id, job.attempt, job.attempted_at, job.attempted_by, note.patch::jsonb AS patch
    FROM unnest(%(ids)s::bigint[], %(attempts)s::smallint[], %(attempted_us)s::bigint[], %(patches)s::text[])
        AS note (id, attempt, attempted_us, patch)
    JOIN river_job AS job ON job.id = note.id
    WHERE job.state::text IN ('cancelled', 'completed', 'discarded')
        AND job.attempt = note.attempt
        AND job.attempted_at = timestamptz 'epoch' + note.attempted_us * interval '1 microsecond'
        AND job.attempted_by[cardinality(job.attempted_by)] = %(incarnation)s::text
),
-- Whoever held a row a moment ago may have begun another attempt; so the fence is compared under the lock again.
held AS MATERIALIZED (
    SELECT job.id, noted.patch
    FROM noted
    JOIN river_job AS job ON job.id = noted.id
    WHERE job.state::text IN ('cancelled', 'completed', 'discarded')
        AND job.attempt = noted.attempt
        AND job.attempted_at = noted.attempted_at
        AND job.attempted_by = noted.attempted_by
    ORDER BY job.id
    FOR UPDATE OF job SKIP LOCKED
),
written AS (
    UPDATE river_job AS job
    SET metadata =
            \ir parts/job_members.sql
            || held.patch
    FROM held
    WHERE job.id = held.id
    RETURNING job.id
)
SELECT noted.id
FROM noted
WHERE NOT EXISTS (SELECT FROM written WHERE written.id = noted.id)
