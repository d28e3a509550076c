-- handler_resume.sql
-- Let jobs of a kind that was paused be claimed again.
--   in:    kind · revision that the handler must have, NULL: any
--   out:   whether it was paused · its revision before; no row when nothing is registered for the kind
--   locks: the handler
--   index: riverrun_handler_pkey
WITH held AS MATERIALIZED (
    SELECT kind, paused_at, revision FROM riverrun_handler WHERE kind = %(kind)s::text FOR UPDATE
),
resumed AS (
    UPDATE riverrun_handler AS handler
    SET paused_at = NULL, revision = nextval('riverrun_revision_seq'), updated_at = now()
    FROM held
    WHERE
        handler.kind = held.kind
        AND held.paused_at IS NOT NULL
        AND (%(revision)s::bigint IS NULL OR held.revision = %(revision)s::bigint)
)
SELECT paused_at IS NOT NULL AS was_paused, revision FROM held
