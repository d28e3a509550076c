-- leader_pulse.sql
-- Show that the leader lives, and return what tells it whether there is anything to do: one statement a second.
--   in:    generation · host_class · where to begin to look for due jobs (parts/due_after.sql)
--   out:   now · settled, the time since the database server began ·
--          soonest_due of the jobs that wait for their time, at most a day away, or NULL · leases_expired, whether some executor's lease
--          ran out · hosts, keys of the locks that supervisors hold · schedules, a number that changes whenever a schedule is made, changed or deleted ·
--          river_leads, who holds River's own leader row, or NULL · seconds that all of this took; no row when this
--          term is over
--   locks: the leader's row
--   index: riverrun_leader_pkey, riverrun_job_due_index, river_leader_pkey; the other tables have few rows
-- The process that serves the session is compared as well: a pooler may hand the same session to two schedulers.
WITH pulse AS (
    UPDATE riverrun_leader
    SET heartbeat_at = now()
    WHERE generation = %(generation)s::bigint AND backend_pid = pg_backend_pid()
    RETURNING generation
)
SELECT
    now() AS now,
    now() - pg_postmaster_start_time() AS settled,
    (
        SELECT least(greatest(scheduled_at, now() - interval '1 day'), now() + interval '1 day')
        FROM river_job
        WHERE state IN ('retryable', 'scheduled')
            AND
                \ir parts/due_after.sql
        ORDER BY scheduled_at, id
        LIMIT 1
    ) AS soonest_due,
    EXISTS (SELECT FROM riverrun_executor WHERE lease_until < now() - interval '1 second') AS leases_expired,
    ARRAY(
        SELECT objid::bigint
        FROM pg_locks
        WHERE locktype = 'advisory'
            AND granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND classid::bigint = %(host_class)s::int
    ) AS hosts,
    (SELECT coalesce(sum(revision), 0)::bigint FROM riverrun_schedule) AS schedules,
    (SELECT leader_id FROM river_leader WHERE expires_at >= now()) AS river_leads,
    extract(epoch FROM clock_timestamp() - now())::float8 AS seconds
FROM pulse
