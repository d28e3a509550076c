-- token_create.sql
-- Keep a new token, of which only the digest is known here.
--   in:    id, sha256, name, role, queues · parent, the token a session is made from, or NULL · created_by ·
--          lifetime in seconds, NULL: for ever · until, a moment it must not outlive, or NULL
--   out:   the token, as token_list.sql has it
INSERT INTO riverrun_token (id, sha256, name, role, queues, parent, created_by, expires_at)
VALUES (
    %(id)s::text, %(sha256)s::bytea, %(name)s::text, %(role)s::text, %(queues)s::text[], %(parent)s::text,
    %(created_by)s::text, least(now() + make_interval(secs => %(lifetime)s::float8), %(until)s::timestamptz)
)
RETURNING id, name, role, queues, parent, created_by, created_at, expires_at, last_used_at, revoked_at
