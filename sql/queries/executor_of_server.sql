-- executor_of_server.sql
-- Name the executors that an earlier supervisor of this server left behind.
--   in:    server_id text
--   out:   incarnation, in the order of their names
--   locks: none
--   index: none; the table has a row for each executor process of the fleet
SELECT incarnation
FROM riverrun_executor
WHERE server_id = %(server_id)s::text
ORDER BY incarnation;
