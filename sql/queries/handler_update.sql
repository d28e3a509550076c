-- handler_update.sql
-- Replace what is said about a handler, unless somebody else has done so since it was read.
--   in:    kind and what is said about its handler · revision, as it was read
--   out:   its revision now; no row when it has changed or is gone
--   locks: the handler
--   index: riverrun_handler_pkey
UPDATE riverrun_handler
SET handler_name = %(handler_name)s::text,
    handler_type = %(handler_type)s::text,
    endpoint_url = %(endpoint_url)s::text,
    timeout_seconds = %(timeout_seconds)s::float8,
    retry_count = %(retry_count)s::int,
    description = %(description)s::text,
    settings = %(settings)s::jsonb,
    args_schema = %(args_schema)s::jsonb,
    revision = nextval('riverrun_revision_seq'),
    updated_at = now()
WHERE kind = %(kind)s::text AND revision = %(revision)s::bigint
RETURNING revision
