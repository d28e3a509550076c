-- server_list.sql
-- List the servers of the fleet and what each of them runs.
--   in:    alive_seconds, how old a heartbeat may be
--   out:   server_id · host · pid · version · roles · started_at · heartbeat_at · alive · executors and slots of live leases ·
--          whether its scheduler leads
--   index: a row for each server and executor: scans are right
SELECT
    server.server_id,
    server.host,
    server.pid,
    server.version,
    server.roles,
    server.started_at,
    server.heartbeat_at,
    server.heartbeat_at > now() - make_interval(secs => %(alive_seconds)s::float8) AS alive,
    coalesce(served.executors, 0)::int AS executors,
    coalesce(served.slots, 0)::int AS slots,
    EXISTS (
        SELECT
        FROM riverrun_leader AS leader
        WHERE leader.server_id = server.server_id
            AND leader.heartbeat_at > now() - make_interval(secs => %(alive_seconds)s::float8)
    ) AS leads
FROM riverrun_server AS server
LEFT JOIN LATERAL (
    SELECT count(*) AS executors, sum(executor.slots) AS slots
    FROM riverrun_executor AS executor
    WHERE executor.server_id = server.server_id AND executor.lease_until > now()
) AS served ON true
ORDER BY server.server_id
