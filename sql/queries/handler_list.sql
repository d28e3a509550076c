-- handler_list.sql
-- List the registered handlers.
--   in:    kinds, NULL: all
--   out:   the handlers, by kind
--   index: riverrun_handler_pkey
SELECT
    kind, handler_name, handler_type, endpoint_url, timeout_seconds, retry_count, description, paused_at, revision,
    created_at, updated_at
FROM riverrun_handler
WHERE %(kinds)s::text[] IS NULL OR kind = ANY (%(kinds)s::text[])
ORDER BY kind
