-- token_list.sql
-- List tokens, the newest first.
--   in:    sessions, whether to list the sessions of browsers instead of the tokens themselves · rows
--   out:   id, name, role, queues, parent, created_by, created_at, expires_at, last_used_at, revoked_at
SELECT id, name, role, queues, parent, created_by, created_at, expires_at, last_used_at, revoked_at
FROM riverrun_token
WHERE (parent IS NOT NULL) = %(sessions)s::bool
ORDER BY created_at DESC, id
LIMIT %(rows)s::int
