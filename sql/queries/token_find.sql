-- token_find.sql
-- Find a token that may be used now, and note once a minute that it was.
--   in:    sha256
--   out:   the token, as token_list.sql has it; no row for one that is not known, revoked or expired
--   locks: the token, when it was last used more than a minute ago and nobody else notes it
--   index: riverrun_token_sha256_index
WITH found AS MATERIALIZED (
    SELECT id, name, role, queues, parent, created_by, created_at, expires_at, last_used_at, revoked_at
    FROM riverrun_token
    WHERE sha256 = %(sha256)s::bytea AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
),
due AS (
    SELECT token.id
    FROM riverrun_token AS token
    JOIN found ON found.id = token.id
    WHERE token.last_used_at IS NULL OR token.last_used_at < now() - interval '1 minute'
    FOR UPDATE OF token SKIP LOCKED
),
noted AS (
    UPDATE riverrun_token AS token
    SET last_used_at = now()
    FROM due
    WHERE token.id = due.id
)
SELECT id, name, role, queues, parent, created_by, created_at, expires_at, last_used_at, revoked_at FROM found
