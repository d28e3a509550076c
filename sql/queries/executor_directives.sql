-- executor_directives.sql
-- Return what an executor must obey that may have changed since it last asked, in one small row.
--   in:    queue · server_id · running, the ids it executes
--   out:   max_workers set at run time for this server or for all, NULL: as configured ·
--          registry, a number that changes whenever a handler is registered, changed or deleted, or
--          its health changes, or an earlier secret of one is over ·
--          cancelled, those of running whose cancellation was asked for
--   index: riverrun_queue_setting_pkey, river_job_pkey
SELECT
    (
        SELECT max_workers
        FROM riverrun_queue_setting
        WHERE queue = %(queue)s::text AND server_id IN ('', %(server_id)s::text)
        ORDER BY server_id DESC
        LIMIT 1
    ) AS max_workers,
    (
        (SELECT coalesce(sum(revision), 0) + count(*) FILTER (WHERE previous_until > now()) FROM riverrun_handler)
        + (SELECT coalesce(sum(revision), 0) FROM riverrun_handler_health)
    )::bigint AS registry,
    ARRAY(
        SELECT id
        FROM river_job
        WHERE id = ANY (%(running)s::bigint[]) AND metadata ? 'cancel_attempted_at'
        ORDER BY id
    ) AS cancelled
