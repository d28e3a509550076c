-- handler_health_forget.sql
-- Take the service of a handler for well again: it was changed or resumed, so what was found before means nothing.
--   in:    kind
--   out:   kind, if anything was known
--   locks: the health of the handler
--   index: riverrun_handler_health_pkey
DELETE FROM riverrun_handler_health WHERE kind = %(kind)s::text RETURNING kind
