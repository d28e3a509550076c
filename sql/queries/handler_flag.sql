-- handler_flag.sql
-- Note that a service answers as only a mistake in the configuration explains, or that it does so no more.
--   in:    kind · misconfigured, what it answers; empty: nothing of the kind
--   out:   kind, if that was not known
--   locks: the health of the handler
--   index: riverrun_handler_pkey, riverrun_handler_health_pkey
INSERT INTO riverrun_handler_health AS health (kind, misconfigured)
SELECT kind, %(misconfigured)s::text
FROM riverrun_handler
WHERE kind = %(kind)s::text
FOR KEY SHARE
ON CONFLICT (kind) DO UPDATE
SET misconfigured = excluded.misconfigured,
    changed_at = now(),
    revision = nextval('riverrun_revision_seq')
WHERE health.misconfigured <> excluded.misconfigured
RETURNING kind
