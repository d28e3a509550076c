-- handler_register.sql
-- Register a handler for a kind that has none, or replace the one it has.
--   in:    kind and what is said about its handler · secret of a new one · replace, whether a different one may be
--          replaced; its secret stays, and so does the schema of its arguments when none is given ·
--          revision that one must have to be replaced, NULL: any
--   out:   whether it is new; no row when one is there and was left as it is
--   locks: the handler
--   index: riverrun_handler_pkey
INSERT INTO riverrun_handler AS handler (
    kind, handler_name, handler_type, endpoint_url, timeout_seconds, retry_count, description, settings,
    signing_secret, args_schema
)
VALUES (
    %(kind)s::text, %(handler_name)s::text, %(handler_type)s::text, %(endpoint_url)s::text,
    %(timeout_seconds)s::float8, %(retry_count)s::int, %(description)s::text, %(settings)s::jsonb,
    %(secret)s::text, %(args_schema)s::jsonb
)
ON CONFLICT (kind) DO UPDATE
SET handler_name = excluded.handler_name,
    handler_type = excluded.handler_type,
    endpoint_url = excluded.endpoint_url,
    timeout_seconds = excluded.timeout_seconds,
    retry_count = excluded.retry_count,
    description = excluded.description,
    settings = excluded.settings,
    args_schema = coalesce(excluded.args_schema, handler.args_schema),
    revision = nextval('riverrun_revision_seq'),
    updated_at = now()
WHERE %(replace)s::bool
    AND (%(revision)s::bigint IS NULL OR handler.revision = %(revision)s::bigint)
    AND (
        handler.handler_name, handler.handler_type, handler.endpoint_url, handler.timeout_seconds,
        handler.retry_count, handler.description, handler.settings, handler.args_schema
    ) IS DISTINCT FROM (
        excluded.handler_name, excluded.handler_type, excluded.endpoint_url, excluded.timeout_seconds,
        excluded.retry_count, excluded.description, excluded.settings,
        coalesce(excluded.args_schema, handler.args_schema)
    )
RETURNING created_at = now() AND updated_at = now() AS created
