-- bulk_end.sql
-- End an operation before its end; one that has ended already stays as it is.
--   in:    id · state, aborted or failed · error, why, or NULL
--   out:   the operation, as bulk_list.sql has it; no row when there is none
--   locks: the operation; waits for a batch of it that is under way
--   index: riverrun_bulk_pkey
UPDATE riverrun_bulk
SET state = CASE WHEN state = 'running' THEN %(state)s::text ELSE state END,
    error = CASE WHEN state = 'running' THEN %(error)s::text ELSE error END,
    updated_at = now(),
    finished_at = coalesce(finished_at, now())
WHERE id = %(id)s::bigint
RETURNING
    id, action, params::text, filter, wanted::text, actor, state, first_id, last_id, position, matched, changed, error,
    created_at, updated_at, finished_at
