-- handler_throttle.sql
-- Let the whole fleet leave a service alone for the time that it has asked for.
--   in:    kind · wait_seconds
--   out:   kind, if that is longer than was known
--   locks: the health of the handler
--   index: riverrun_handler_pkey, riverrun_handler_health_pkey
INSERT INTO riverrun_handler_health AS health (kind, throttled_until)
SELECT kind, now() + make_interval(secs => %(wait_seconds)s::float8)
FROM riverrun_handler
WHERE kind = %(kind)s::text
FOR KEY SHARE
ON CONFLICT (kind) DO UPDATE
SET throttled_until = excluded.throttled_until,
    changed_at = now(),
    revision = nextval('riverrun_revision_seq')
WHERE health.throttled_until IS NULL OR health.throttled_until < excluded.throttled_until
RETURNING kind
