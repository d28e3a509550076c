-- server_heartbeat.sql
-- Tell who was last known by a server's name, and for how long nothing was heard of it.
--   in:    server_id text
--   out:   host, pid, seconds since its last heartbeat; no row when the name is new
--   locks: none
--   index: riverrun_server_pkey
SELECT host, pid, EXTRACT(EPOCH FROM now() - heartbeat_at)::double precision AS silent_seconds
FROM riverrun_server
WHERE server_id = %(server_id)s::text;
