-- handler_credentials.sql
-- Return what executors sign requests with and make callback tokens from; it must reach nobody else.
--   in:    kinds, NULL: all
--   out:   kind · the secret, if it has one · the one before, while it is still valid · key of its callbacks
--   index: riverrun_handler_pkey
SELECT
    kind,
    signing_secret,
    CASE WHEN previous_until > now() THEN previous_secret END AS previous_secret,
    callback_key
FROM riverrun_handler
WHERE %(kinds)s::text[] IS NULL OR kind = ANY (%(kinds)s::text[])
