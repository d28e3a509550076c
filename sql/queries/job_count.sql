-- job_count.sql
-- Count the jobs of each state, no further than is worth showing.
--   in:    states to count · queues, of which those in last states are counted, NULL: any · cap
--   out:   one row with a count of at most cap for each state, by name; NULL for a state that was not asked for, and for
--          a last state of some queues when there are cap jobs in it: no index finds those of the queues among them
--   index: riverrun_job_live_index; river_job_state_and_finalized_at_index, hence the IS NOT NULL
-- The ORDER BY is that of the index and keeps the planner to a walk that LIMIT can end. States are literals, because for
-- a joined value the planner expects an average state, and would sort a whole large one. Whether a last state has cap
-- jobs is known from the index alone; only a smaller one is looked into for its queues.
SELECT
    CASE WHEN 'available' = ANY (%(states)s::text[]) THEN (
        SELECT count(*)
        FROM (
            SELECT
            FROM river_job
            WHERE state = 'available'
            ORDER BY queue, priority, scheduled_at, id
            LIMIT %(cap)s::int
        ) AS counted
    ) END AS available,
    CASE WHEN 'cancelled' = ANY (%(states)s::text[]) THEN (
        SELECT CASE
            WHEN %(queues)s::text[] IS NULL THEN everywhere.jobs
            WHEN everywhere.jobs < %(cap)s::int THEN (
                SELECT count(*) FILTER (WHERE queue = ANY (%(queues)s::text[]))
                FROM (
                    SELECT queue
                    FROM river_job
                    WHERE state = 'cancelled' AND finalized_at IS NOT NULL
                    ORDER BY finalized_at
                    LIMIT %(cap)s::int
                ) AS counted
            )
        END
        FROM (
            SELECT count(*) AS jobs
            FROM (
                SELECT
                FROM river_job
                WHERE state = 'cancelled' AND finalized_at IS NOT NULL
                ORDER BY finalized_at
                LIMIT %(cap)s::int
            ) AS counted
        ) AS everywhere
    ) END AS cancelled,
    CASE WHEN 'completed' = ANY (%(states)s::text[]) THEN (
        SELECT CASE
            WHEN %(queues)s::text[] IS NULL THEN everywhere.jobs
            WHEN everywhere.jobs < %(cap)s::int THEN (
                SELECT count(*) FILTER (WHERE queue = ANY (%(queues)s::text[]))
                FROM (
                    SELECT queue
                    FROM river_job
                    WHERE state = 'completed' AND finalized_at IS NOT NULL
                    ORDER BY finalized_at
                    LIMIT %(cap)s::int
                ) AS counted
            )
        END
        FROM (
            SELECT count(*) AS jobs
            FROM (
                SELECT
                FROM river_job
                WHERE state = 'completed' AND finalized_at IS NOT NULL
                ORDER BY finalized_at
                LIMIT %(cap)s::int
            ) AS counted
        ) AS everywhere
    ) END AS completed,
    CASE WHEN 'discarded' = ANY (%(states)s::text[]) THEN (
        SELECT CASE
            WHEN %(queues)s::text[] IS NULL THEN everywhere.jobs
            WHEN everywhere.jobs < %(cap)s::int THEN (
                SELECT count(*) FILTER (WHERE queue = ANY (%(queues)s::text[]))
                FROM (
                    SELECT queue
                    FROM river_job
                    WHERE state = 'discarded' AND finalized_at IS NOT NULL
                    ORDER BY finalized_at
                    LIMIT %(cap)s::int
                ) AS counted
            )
        END
        FROM (
            SELECT count(*) AS jobs
            FROM (
                SELECT
                FROM river_job
                WHERE state = 'discarded' AND finalized_at IS NOT NULL
                ORDER BY finalized_at
                LIMIT %(cap)s::int
            ) AS counted
        ) AS everywhere
    ) END AS discarded,
    CASE WHEN 'pending' = ANY (%(states)s::text[]) THEN (
        SELECT count(*)
        FROM (
            SELECT
            FROM river_job
            WHERE state = 'pending'
            ORDER BY queue, priority, scheduled_at, id
            LIMIT %(cap)s::int
        ) AS counted
    ) END AS pending,
    CASE WHEN 'retryable' = ANY (%(states)s::text[]) THEN (
        SELECT count(*)
        FROM (
            SELECT
            FROM river_job
            WHERE state = 'retryable'
            ORDER BY queue, priority, scheduled_at, id
            LIMIT %(cap)s::int
        ) AS counted
    ) END AS retryable,
    CASE WHEN 'running' = ANY (%(states)s::text[]) THEN (
        SELECT count(*)
        FROM (
            SELECT
            FROM river_job
            WHERE state = 'running'
            ORDER BY queue, priority, scheduled_at, id
            LIMIT %(cap)s::int
        ) AS counted
    ) END AS running,
    CASE WHEN 'scheduled' = ANY (%(states)s::text[]) THEN (
        SELECT count(*)
        FROM (
            SELECT
            FROM river_job
            WHERE state = 'scheduled'
            ORDER BY queue, priority, scheduled_at, id
            LIMIT %(cap)s::int
        ) AS counted
    ) END AS scheduled
