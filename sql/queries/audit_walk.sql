-- audit_walk.sql
-- Read the chain forward, to verify or to export it.
--   in:    after, a number · rows
--   out:   number, at, actor, action, target, entry, hash
--   index: riverrun_audit_pkey
SELECT number, at, actor, action, target, entry, hash
FROM riverrun_audit
WHERE number > %(after)s::bigint
ORDER BY number
LIMIT %(rows)s::int
