-- executor_expire.sql
-- End the leases of hosts whose supervisor is known to have ended, instead of waiting until they run out.
--   in:    generation, the leader's term · gone, keys of the locks of hosts that were held in this term and are free
--   out:   incarnation of each executor whose lease was ended
--   locks: the executors' rows
--   index: primary keys; a row for each host, a row for each executor process
-- A free lock alone proves little. A supervisor whose session was ended comes back and renews, so its last heartbeat
-- must be three seconds old. A host that is cut off still lives; there the server needs five seconds without an answer
-- to end the session, so a lock that is free before that was given up by a process that died.
UPDATE riverrun_executor AS executor
SET lease_until = now() - interval '2 seconds'
FROM riverrun_server AS server
WHERE server.server_id = executor.server_id
    AND server.heartbeat_at BETWEEN now() - interval '4.5 seconds' AND now() - interval '3 seconds'
    AND hashtext(coalesce(%(schema)s::text, current_schema())::text || '.' || server.server_id)::bigint & 4294967295
        = ANY (%(gone)s::bigint[])
    AND executor.lease_until > now()
    AND EXISTS (SELECT FROM riverrun_leader WHERE generation = %(generation)s::bigint)
RETURNING executor.incarnation
