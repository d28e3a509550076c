-- audit_list.sql
-- List entries, the newest first.
--   in:    actor, action, target, each NULL: any · before, a number, NULL: from the newest ·
--          looked, how many entries to look at · rows
--   out:   up to rows entries, by number, descending: those that match, and the last one looked at:
--          number, at, actor, action, target, entry, hash · matches · last_looked
--   index: riverrun_audit_pkey, walked no further than looked
SELECT
    looked.number, looked.at, looked.actor, looked.action, looked.target, looked.entry, looked.hash,
    looked.matches, looked.place = %(looked)s::bigint AS last_looked
FROM (
    SELECT
        audit.number, audit.at, audit.actor, audit.action, audit.target, audit.entry, audit.hash,
        row_number() OVER (ORDER BY audit.number DESC) AS place,
        (
            (%(actor)s::text IS NULL OR audit.actor = %(actor)s::text)
            AND (%(action)s::text IS NULL OR audit.action = %(action)s::text)
            AND (%(target)s::text IS NULL OR audit.target = %(target)s::text)
        ) AS matches
    FROM riverrun_audit AS audit
    WHERE (%(before)s::bigint IS NULL OR audit.number < %(before)s::bigint)
    ORDER BY audit.number DESC
    LIMIT %(looked)s::bigint
) AS looked
WHERE looked.matches OR looked.place = %(looked)s::bigint
ORDER BY looked.number DESC
LIMIT %(rows)s::int
