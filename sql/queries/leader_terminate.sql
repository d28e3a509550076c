-- leader_terminate.sql
-- End the session of a leader that holds the lock but has not been heard of for six seconds: a stopped process, or
-- a host that is cut off. What it would still write is lost with its session, so the next leader is alone.
--   in:    lock_class
--   out:   server_id, and whether its session was told to end; no row when nobody is stalled any more
--   locks: none
--   index: riverrun_leader_pkey
SELECT leader.server_id, pg_terminate_backend(leader.backend_pid) AS told
FROM riverrun_leader AS leader
JOIN pg_locks AS held ON held.pid = leader.backend_pid
WHERE leader.heartbeat_at < now() - interval '6 seconds'
    AND held.locktype = 'advisory'
    AND held.granted
    AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND held.classid::bigint = %(lock_class)s::int
    AND held.objid::bigint = hashtext(coalesce(%(schema)s::text, current_schema())::text)::bigint & 4294967295
