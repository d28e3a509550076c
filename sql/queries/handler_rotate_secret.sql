-- handler_rotate_secret.sql
-- Give a handler a new signing secret; the present one stays valid beside it for a while.
--   in:    kind · secret, the new one · keep_seconds, for which the present one is used too · revision it must have,
--          NULL: any
--   out:   its revision now; no row when it is not there or has changed
--   locks: the handler
--   index: riverrun_handler_pkey
UPDATE riverrun_handler
SET previous_secret = signing_secret,
    previous_until = now() + make_interval(secs => %(keep_seconds)s::float8),
    signing_secret = %(secret)s::text,
    revision = nextval('riverrun_revision_seq'),
    updated_at = now()
WHERE kind = %(kind)s::text AND (%(revision)s::bigint IS NULL OR revision = %(revision)s::bigint)
RETURNING revision
