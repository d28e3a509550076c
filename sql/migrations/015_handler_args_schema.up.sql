-- What the arguments of a kind look like, so that a form can be made for them.
--   locks: ACCESS EXCLUSIVE on riverrun_handler for an instant
ALTER TABLE riverrun_handler
ADD COLUMN IF NOT EXISTS args_schema jsonb;

COMMENT ON COLUMN riverrun_handler.args_schema IS 'JSON Schema of the arguments, as registered or as the signature of a local handler says; NULL: nobody has said.';
