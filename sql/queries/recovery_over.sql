-- recovery_over.sql
-- Find out whether jobs of a queue may be claimed, and remember it until the server loses its memory again: every
-- living executor of the queue has looked after its own, or the first one did so a while ago.
--   in:    queue · patience, seconds after the first answer for which the others are waited for
--   out:   over
--   locks: none that anybody waits for
--   index: riverrun_recovery_pkey; riverrun_executor has a row for each executor process
WITH known AS MATERIALIZED (
    SELECT incarnation, answered_at
    FROM riverrun_recovery
    WHERE queue = %(queue)s::text
),
awaited AS MATERIALIZED (
    SELECT incarnation
    FROM riverrun_executor
    WHERE queue = %(queue)s::text AND lease_until > now() AND incarnation NOT IN (SELECT incarnation FROM known)
),
judged AS MATERIALIZED (
    SELECT EXISTS (SELECT FROM known WHERE incarnation = '')
        OR NOT EXISTS (SELECT FROM awaited)
        OR (SELECT min(answered_at) FROM known) <= clock_timestamp() - make_interval(secs => %(patience)s::float8)
        AS over
),
remembered AS (
    INSERT INTO riverrun_recovery (queue, incarnation)
    SELECT %(queue)s::text, ''
    FROM judged
    WHERE over
    ON CONFLICT DO NOTHING
)
SELECT over
FROM judged
