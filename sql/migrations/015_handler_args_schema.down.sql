-- Forget what arguments look like.
--   locks: ACCESS EXCLUSIVE on riverrun_handler for an instant
ALTER TABLE riverrun_handler
DROP COLUMN IF EXISTS args_schema;
