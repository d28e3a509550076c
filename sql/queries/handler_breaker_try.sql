-- handler_breaker_try.sql
-- Become the one executor that tries a service which the fleet leaves alone.
--   in:    kind · lease_seconds, after which another one may try
--   out:   kind, if the service is due and nobody else tries it
--   locks: the health of the handler
--   index: riverrun_handler_health_pkey
UPDATE riverrun_handler_health
SET breaker = 'half_open',
    probe_at = now() + make_interval(secs => %(lease_seconds)s::float8),
    changed_at = now(),
    revision = nextval('riverrun_revision_seq')
WHERE kind = %(kind)s::text AND breaker <> 'closed' AND probe_at <= now()
RETURNING kind
