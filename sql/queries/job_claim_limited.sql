-- job_claim_limited.sql
-- Mark the best available jobs of one queue as running, of some kinds no more than there is room for; otherwise as
-- job_claim.sql.
--   in:    as job_claim.sql, and parallel arrays: kinds, of which few may run at once, and rooms, how many of each
--   out:   as job_claim.sql; fewer than slots also when the best jobs are of a kind that finds no more room
--   locks: rows that another executor is claiming are skipped; those that find no room are locked for a moment
--   index: riverrun_job_live_index
WITH best AS MATERIALIZED (
    SELECT job.id, job.kind, job.scheduled_at, floor.priority
    FROM unnest(%(floors_us)s::bigint[], %(floor_ids)s::bigint[]) WITH ORDINALITY AS floor (us, id, priority)
    CROSS JOIN LATERAL (
        SELECT id, kind, scheduled_at
        FROM river_job
        WHERE state = 'available'
            AND queue = %(queue)s::text
            AND priority = floor.priority::smallint
            AND (scheduled_at, id) > (
                coalesce(timestamptz 'epoch' + nullif(floor.us, 0) * interval '1 microsecond', '-infinity'), floor.id
            )
            AND scheduled_at <= now()
            AND kind <> ALL (%(kinds_left_out)s::text[])
        ORDER BY scheduled_at, id
        LIMIT %(slots)s::int
        FOR UPDATE SKIP LOCKED
    ) AS job
    WHERE NOT EXISTS (SELECT FROM river_queue WHERE name = %(queue)s::text AND paused_at IS NOT NULL)
    LIMIT %(slots)s::int
),
due AS MATERIALIZED (
    SELECT placed.id
    FROM (
        SELECT id, kind, row_number() OVER (PARTITION BY kind ORDER BY priority, scheduled_at, id) AS place
        FROM best
    ) AS placed
    LEFT JOIN unnest(%(kinds)s::text[], %(rooms)s::int[]) AS most (kind, room) ON most.kind = placed.kind
    WHERE most.room IS NULL OR placed.place <= most.room
)
\ir parts/job_mark_running.sql
RETURNING
    \ir parts/job_claimed.sql
