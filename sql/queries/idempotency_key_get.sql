-- idempotency_key_get.sql
-- Return the answer that a key was given earlier; run after the key is locked.
--   in:    token · key · hours that an answer is kept
--   out:   request_hash, status and response, or no row
--   index: riverrun_idempotency_key_pkey
SELECT request_hash, status, response
FROM riverrun_idempotency_key
WHERE token = %(token)s::text
    AND key = %(key)s::text
    AND created_at > now() - make_interval(hours => %(hours)s::int)
