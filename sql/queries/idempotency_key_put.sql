-- idempotency_key_put.sql
-- Keep the answer to a request with a key, in the transaction that did its work.
--   in:    token · key · request_hash · status · response
--   index: riverrun_idempotency_key_pkey
INSERT INTO riverrun_idempotency_key AS kept (token, key, request_hash, status, response)
VALUES (
    %(token)s::text, %(key)s::text, %(request_hash)s::bytea, %(status)s::smallint, %(response)s::text
)
ON CONFLICT (token, key) DO UPDATE
SET request_hash = excluded.request_hash,
    status = excluded.status,
    response = excluded.response,
    created_at = now()
