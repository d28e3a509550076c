-- handler_breaker_close.sql
-- Let the whole fleet call a service again.
--   in:    kind
--   out:   kind, if it was left alone
--   locks: the health of the handler
--   index: riverrun_handler_health_pkey
UPDATE riverrun_handler_health
SET breaker = 'closed',
    reason = '',
    failed_probes = 0,
    probe_at = NULL,
    changed_at = now(),
    revision = nextval('riverrun_revision_seq')
WHERE kind = %(kind)s::text AND breaker <> 'closed'
RETURNING kind
