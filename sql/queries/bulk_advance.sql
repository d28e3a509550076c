-- bulk_advance.sql
-- Note how far an operation has come; it is done when it has passed its last job.
--   in:    id, position · matched and changed, how many more
--   out:   the operation, as bulk_list.sql has it
--   locks: the operation
--   index: riverrun_bulk_pkey
UPDATE riverrun_bulk
SET position = %(position)s::bigint,
    matched = matched + %(matched)s::bigint,
    changed = changed + %(changed)s::bigint,
    updated_at = now(),
    state = CASE WHEN %(position)s::bigint >= last_id THEN 'done' ELSE state END,
    finished_at = CASE WHEN %(position)s::bigint >= last_id THEN now() END
WHERE id = %(id)s::bigint
RETURNING
    id, action, params::text, filter, wanted::text, actor, state, first_id, last_id, position, matched, changed, error,
    created_at, updated_at, finished_at
