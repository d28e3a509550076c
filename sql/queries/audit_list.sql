-- audit_list.sql
-- List entries, the newest first.
--   in:    actor, action, target, each NULL: any · before, a
--          number, NULL: from the newest · rows
--   out:   number, at, actor, action, target, entry, hash
--   index: riverrun_audit_pkey
SELECT number, at, actor, action, target, entry, hash
FROM riverrun_audit
WHERE (%(actor)s::text IS NULL OR actor = %(actor)s::text)
    AND (%(action)s::text IS NULL OR action = %(action)s::text)
    AND (%(target)s::text IS NULL OR target = %(target)s::text)
    AND (%(before)s::bigint IS NULL OR number < %(before)s::bigint)
ORDER BY number DESC
LIMIT %(rows)s::int
