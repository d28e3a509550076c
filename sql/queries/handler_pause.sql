-- handler_pause.sql
-- Let no job of a kind be claimed until the kind is resumed.
--   in:    kind · reason, kept with the health of the handler; empty when an operator did it · revision that the
--          handler must have, NULL: any
--   out:   whether it was not paused before · its revision before; no row when nothing is registered for the kind
--   locks: the handler, its health
--   index: riverrun_handler_pkey, riverrun_handler_health_pkey
WITH held AS MATERIALIZED (
    SELECT
        kind,
        paused_at,
        revision,
        paused_at IS NULL AND (%(revision)s::bigint IS NULL OR revision = %(revision)s::bigint) AS changes
    FROM riverrun_handler
    WHERE kind = %(kind)s::text
    FOR UPDATE
),
paused AS (
    UPDATE riverrun_handler AS handler
    SET paused_at = now(), revision = nextval('riverrun_revision_seq'), updated_at = now()
    FROM held
    WHERE handler.kind = held.kind AND held.changes
),
said AS (
    INSERT INTO riverrun_handler_health AS health (kind, reason)
    SELECT kind, %(reason)s::text FROM held WHERE changes AND %(reason)s::text <> ''
    ON CONFLICT (kind) DO UPDATE
    SET reason = excluded.reason, changed_at = now(), revision = nextval('riverrun_revision_seq')
)
SELECT paused_at IS NULL AS was_running, revision FROM held
