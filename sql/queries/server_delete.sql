-- server_delete.sql
-- Forget a server that has stopped and left nothing behind.
--   in:    server_id text · pid int
--   out:   nothing
--   locks: its row
--   index: riverrun_server_pkey
DELETE FROM riverrun_server
WHERE server_id = %(server_id)s::text AND pid = %(pid)s::int;
