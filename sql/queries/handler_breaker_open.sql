-- handler_breaker_open.sql
-- Let the whole fleet leave the service of a handler alone.
--   in:    kind · reason · first_seconds until it is tried
--   out:   kind, if it was called until now
--   locks: the health of the handler
--   index: riverrun_handler_pkey, riverrun_handler_health_pkey
INSERT INTO riverrun_handler_health AS health (kind, breaker, reason, probe_at)
SELECT kind, 'open', %(reason)s::text, now() + make_interval(secs => %(first_seconds)s::float8)
FROM riverrun_handler
WHERE kind = %(kind)s::text
FOR KEY SHARE
ON CONFLICT (kind) DO UPDATE
SET breaker = 'open',
    reason = excluded.reason,
    failed_probes = 0,
    probe_at = excluded.probe_at,
    changed_at = now(),
    revision = nextval('riverrun_revision_seq')
WHERE health.breaker = 'closed'
RETURNING kind
