-- handler_list.sql
-- List the registered handlers and how their services are.
--   in:    kinds, NULL: all
--   out:   the handlers, by kind; without a row of health a service counts as well
--   index: riverrun_handler_pkey, riverrun_handler_health_pkey
SELECT
    handler.kind, handler.handler_name, handler.handler_type, handler.endpoint_url, handler.timeout_seconds,
    handler.retry_count, handler.description, handler.settings::text, handler.paused_at, handler.revision,
    handler.created_at, handler.updated_at, handler.signing_secret IS NOT NULL AS signed,
    coalesce(health.breaker, 'closed') AS breaker,
    coalesce(health.reason, '') AS reason,
    coalesce(health.misconfigured, '') AS misconfigured,
    coalesce(health.failed_probes, 0) AS failed_probes,
    extract(epoch FROM health.probe_at - now())::float8 AS probe_in,
    extract(epoch FROM health.throttled_until - now())::float8 AS throttled_for,
    health.changed_at,
    handler.args_schema::text
FROM riverrun_handler AS handler
LEFT JOIN riverrun_handler_health AS health ON health.kind = handler.kind
WHERE %(kinds)s::text[] IS NULL OR handler.kind = ANY (%(kinds)s::text[])
ORDER BY handler.kind
