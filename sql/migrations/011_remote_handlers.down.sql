-- Forget secrets, callback keys and health of services.
--   locks: ACCESS EXCLUSIVE on riverrun_handler for an instant
DROP TABLE IF EXISTS riverrun_handler_health;

ALTER TABLE riverrun_handler
    DROP COLUMN IF EXISTS signing_secret,
    DROP COLUMN IF EXISTS previous_secret,
    DROP COLUMN IF EXISTS previous_until,
    DROP COLUMN IF EXISTS callback_key;
