-- bulk_list.sql
-- List operations, the newest first.
--   in:    id, NULL: any · state, NULL: any · queues, LIKE patterns, NULL: any; else operations that name queues, and none but such ·
--          before, an id, NULL: from the newest · rows
--   out:   id, action, params, filter, wanted, actor, state, first_id, last_id, position, matched, changed, error,
--          created_at, updated_at, finished_at
--   index: riverrun_bulk_pkey; riverrun_bulk_running_index for those that run
SELECT
    id, action, params::text, filter, wanted::text, actor, state, first_id, last_id, position, matched, changed, error,
    created_at, updated_at, finished_at
FROM riverrun_bulk
WHERE (%(id)s::bigint IS NULL OR id = %(id)s::bigint)
    AND (%(state)s::text IS NULL OR state = %(state)s::text)
    AND (%(before)s::bigint IS NULL OR id < %(before)s::bigint)
    AND (
        %(queues)s::text[] IS NULL
        OR (
            wanted -> 'queues' <> '[]'
            AND NOT EXISTS (
                SELECT
                FROM jsonb_array_elements_text(wanted -> 'queues') AS named (queue)
                WHERE NOT queue LIKE ANY (%(queues)s::text[])
            )
        )
    )
ORDER BY id DESC
LIMIT %(rows)s::int
