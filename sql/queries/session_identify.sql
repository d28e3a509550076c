-- session_identify.sql
-- Name the server process that runs this statement.
--   out:   its pid
--   locks: none
--   index: none
SELECT pg_backend_pid() AS pid
