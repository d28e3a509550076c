-- leader_elect.sql
-- Try to become the scheduler that leads, and begin a term if it worked: both or neither.
--   in:    lock_class · server_id · host_class
--   out:   generation, the new term's number, or NULL when somebody else leads · stalled, whether that leader has not
--          been heard of for six seconds · hosts, keys of the locks that supervisors hold · now
--   locks: the advisory lock of this schema's leader, held by the session until it is released or the session ends;
--          the leader's row
--   index: riverrun_leader_pkey
-- Asks and never waits: a session that waits for a lock holds a snapshot, and VACUUM would stop behind it.
-- A standby grants advisory locks as well; there the write fails, so that nobody leads from one.
WITH asked AS MATERIALIZED (
    SELECT pg_try_advisory_lock(
        %(lock_class)s::int, hashtext(coalesce(%(schema)s::text, current_schema())::text)
    ) AS granted
),
elected AS (
    INSERT INTO riverrun_leader AS leader (name, generation, server_id, backend_pid, elected_at, heartbeat_at)
    SELECT 'scheduler', 1, %(server_id)s::text, pg_backend_pid(), now(), now()
    FROM asked
    WHERE granted
    ON CONFLICT (name) DO UPDATE
    SET generation = leader.generation + 1,
        server_id = excluded.server_id,
        backend_pid = excluded.backend_pid,
        elected_at = excluded.elected_at,
        heartbeat_at = excluded.heartbeat_at
    RETURNING generation
)
SELECT
    (SELECT generation FROM elected) AS generation,
    EXISTS (SELECT FROM riverrun_leader WHERE heartbeat_at < now() - interval '6 seconds') AS stalled,
    ARRAY(
        SELECT objid::bigint
        FROM pg_locks
        WHERE locktype = 'advisory'
            AND granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND classid::bigint = %(host_class)s::int
    ) AS hosts,
    now() AS now
