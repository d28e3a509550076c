-- token_revoke.sql
-- Revoke a token and the sessions that were made from it; one that is revoked already stays as it is.
--   in:    id
--   out:   the token, as token_list.sql has it; no row when there is none
--   locks: the token and its sessions
--   index: riverrun_token_pkey, riverrun_token_parent_index
WITH revoked AS (
    UPDATE riverrun_token
    SET revoked_at = coalesce(revoked_at, now())
    WHERE id = %(id)s::text OR parent = %(id)s::text
    RETURNING id, name, role, queues, parent, created_by, created_at, expires_at, last_used_at, revoked_at
)
SELECT id, name, role, queues, parent, created_by, created_at, expires_at, last_used_at, revoked_at
FROM revoked
WHERE id = %(id)s::text
