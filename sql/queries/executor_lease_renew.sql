-- executor_lease_renew.sql
-- Show that a host and its executors live: one statement a host, sent by its supervisor.
--   in:    server_id, host, version text · pid int · roles text[] · lease interval
--          incarnations, queues text[] · slots, pids int[]: one element for each executor that lives
--   out:   nothing
--   locks: the host's own rows, the executors in the order of their names
--   index: primary keys
WITH server AS (
    INSERT INTO riverrun_server AS known (server_id, host, pid, version, roles)
    VALUES (%(server_id)s::text, %(host)s::text, %(pid)s::int, %(version)s::text, %(roles)s::text[])
    ON CONFLICT (server_id) DO UPDATE
    SET host = excluded.host,
        pid = excluded.pid,
        version = excluded.version,
        roles = excluded.roles,
        started_at = CASE WHEN known.pid = excluded.pid AND known.host = excluded.host
                          THEN known.started_at ELSE now() END,
        heartbeat_at = now()
)
INSERT INTO riverrun_executor (incarnation, server_id, queue, slots, pid, lease_until)
SELECT given.incarnation, %(server_id)s::text, given.queue, given.slots, given.pid, now() + %(lease)s::interval
FROM unnest(%(incarnations)s::text[], %(queues)s::text[], %(slots)s::int[], %(pids)s::int[])
    AS given (incarnation, queue, slots, pid)
ORDER BY given.incarnation
ON CONFLICT (incarnation) DO UPDATE
SET slots = excluded.slots,
    lease_until = excluded.lease_until;
