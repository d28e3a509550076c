-- handler_breaker_fail.sql
-- Leave a service alone again that was tried in vain: each time for twice as long, up to last_seconds.
--   in:    kind · reason · first_seconds, last_seconds
--   out:   kind, if it is left alone
--   locks: the health of the handler
--   index: riverrun_handler_health_pkey
UPDATE riverrun_handler_health
SET breaker = 'open',
    reason = %(reason)s::text,
    failed_probes = failed_probes + 1,
    probe_at = now() + make_interval(
        secs => least(%(last_seconds)s::float8, %(first_seconds)s::float8 * power(2, least(failed_probes + 1, 10)))
    ),
    changed_at = now(),
    revision = nextval('riverrun_revision_seq')
WHERE kind = %(kind)s::text AND breaker <> 'closed'
RETURNING kind
