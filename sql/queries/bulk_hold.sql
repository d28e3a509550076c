-- bulk_hold.sql
-- Take an operation that runs, the one that waits longest, for the current transaction.
--   in:    id, NULL: any
--   out:   the operation, as bulk_list.sql has it; no row when none runs or another process has it
--   locks: the operation; one that is locked is left to who has it
--   index: riverrun_bulk_running_index
SELECT
    id, action, params::text, filter, wanted::text, actor, state, first_id, last_id, position, matched, changed, error,
    created_at, updated_at, finished_at
FROM riverrun_bulk
WHERE state = 'running' AND (%(id)s::bigint IS NULL OR id = %(id)s::bigint)
ORDER BY updated_at
LIMIT 1
FOR UPDATE SKIP LOCKED
