-- handler_announce.sql
-- Make known which kinds the modules of an executor handle; what was registered for a kind stays, but for the schema of
-- the arguments of a local handler, if its signature has one.
--   in:    kinds · args_schemas, one for each, NULL: its handler does not say
--   out:   kind · whether it was not known; no row for one that is as it was
--   locks: the handlers, in the order of their kinds
--   index: riverrun_handler_pkey
INSERT INTO riverrun_handler AS handler (kind, handler_name, handler_type, args_schema)
SELECT kind, kind, 'local', args_schema::jsonb
FROM unnest(%(kinds)s::text[], %(args_schemas)s::text[]) AS announced (kind, args_schema)
ORDER BY kind
ON CONFLICT (kind) DO UPDATE
SET args_schema = excluded.args_schema, revision = nextval('riverrun_revision_seq'), updated_at = now()
WHERE handler.handler_type = 'local'
    AND excluded.args_schema IS NOT NULL
    AND handler.args_schema IS DISTINCT FROM excluded.args_schema
RETURNING kind, created_at = now() AS is_new
