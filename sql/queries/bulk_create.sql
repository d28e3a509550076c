-- bulk_create.sql
-- Begin an operation on all jobs that a filter names, from the oldest to the newest of now.
--   in:    action, params and wanted (JSON text), filter (as it was typed), actor
--   out:   the operation, as bulk_list.sql has it
--   index: river_job_pkey
INSERT INTO riverrun_bulk (action, params, filter, wanted, actor, first_id, last_id, position)
SELECT
    %(action)s::text, %(params)s::text::jsonb, %(filter)s::text, %(wanted)s::text::jsonb, %(actor)s::text,
    bounds.first_id, bounds.last_id, bounds.first_id - 1
FROM (SELECT coalesce(min(id), 1) AS first_id, coalesce(max(id), 0) AS last_id FROM river_job) AS bounds
RETURNING
    id, action, params::text, filter, wanted::text, actor, state, first_id, last_id, position, matched, changed, error,
    created_at, updated_at, finished_at
