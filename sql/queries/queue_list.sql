-- queue_list.sql
-- Name every queue that anybody knows or works on, or that has unfinished jobs, and say how it stands.
--   out:   name · paused_at · max_workers set at run time for all servers, NULL: as configured · slots and executors of
--          live leases · scheduled_at of the oldest job that is due · as_of · max_workers set for single servers, as a JSON
--          object · reason, actor and resume_at of the pause, NULL when it was not ours
--   index: riverrun_job_live_index, skipping from queue to queue, then one probe a priority; it is partial, hence the IN
WITH RECURSIVE lanes (state, queue) AS (
    SELECT live.state, (
        SELECT job.queue
        FROM river_job AS job
        WHERE job.state = live.state
            AND job.state IN ('available', 'pending', 'retryable', 'running', 'scheduled')
        ORDER BY job.queue
        LIMIT 1
    )
    FROM unnest('{available,pending,retryable,running,scheduled}'::river_job_state[]) AS live (state)
    UNION ALL
    SELECT lanes.state, (
        SELECT job.queue
        FROM river_job AS job
        WHERE job.state = lanes.state
            AND job.state IN ('available', 'pending', 'retryable', 'running', 'scheduled')
            AND job.queue > lanes.queue
        ORDER BY job.queue
        LIMIT 1
    )
    FROM lanes
    WHERE lanes.queue IS NOT NULL
),
names AS (
    SELECT queue AS name FROM lanes WHERE queue IS NOT NULL
    UNION
    SELECT name FROM river_queue
    UNION
    SELECT queue FROM riverrun_queue_setting
    UNION
    SELECT queue FROM riverrun_executor WHERE lease_until > now()
)
SELECT
    names.name,
    known.paused_at,
    (
        SELECT setting.max_workers
        FROM riverrun_queue_setting AS setting
        WHERE setting.queue = names.name AND setting.server_id = ''
    ) AS max_workers,
    coalesce(served.slots, 0)::int AS slots,
    coalesce(served.executors, 0)::int AS executors,
    (
        SELECT min(oldest.scheduled_at)
        FROM generate_series(1, 9) AS urgency (priority)
        CROSS JOIN LATERAL (
            SELECT job.scheduled_at
            FROM river_job AS job
            WHERE job.state = 'available'
                AND job.queue = names.name
                AND job.priority = urgency.priority::smallint
                AND job.scheduled_at <= now()
            ORDER BY job.scheduled_at
            LIMIT 1
        ) AS oldest
    ) AS oldest_due,
    now() AS as_of,
    (
        SELECT coalesce(jsonb_object_agg(setting.server_id, setting.max_workers), '{}')::text
        FROM riverrun_queue_setting AS setting
        WHERE setting.queue = names.name AND setting.server_id <> ''
    ) AS max_workers_by_server,
    pause.reason,
    pause.actor,
    pause.resume_at
FROM names
LEFT JOIN river_queue AS known ON known.name = names.name
LEFT JOIN riverrun_queue_pause AS pause ON pause.queue = known.name AND pause.paused_at = known.paused_at
LEFT JOIN LATERAL (
    SELECT sum(executor.slots) AS slots, count(*) AS executors
    FROM riverrun_executor AS executor
    WHERE executor.queue = names.name AND executor.lease_until > now()
) AS served ON true
ORDER BY names.name
