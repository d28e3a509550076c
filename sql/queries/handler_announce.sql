-- handler_announce.sql
-- Make known which kinds the modules of an executor handle; what was registered for a kind stays.
--   in:    kinds
--   out:   the kinds that were not known
--   index: riverrun_handler_pkey
INSERT INTO riverrun_handler (kind, handler_name, handler_type)
SELECT kind, kind, 'local'
FROM unnest(%(kinds)s::text[]) AS announced (kind)
ORDER BY kind
ON CONFLICT (kind) DO NOTHING
RETURNING kind
