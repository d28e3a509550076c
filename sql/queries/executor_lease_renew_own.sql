-- executor_lease_renew_own.sql
-- Show that one executor lives: sent by itself when it was started without a supervisor.
--   in:    incarnation, server_id, queue text · slots, pid int · lease interval
--   out:   nothing
--   locks: its row
--   index: riverrun_executor_pkey
INSERT INTO riverrun_executor (incarnation, server_id, queue, slots, pid, lease_until)
VALUES (
    %(incarnation)s::text, %(server_id)s::text, %(queue)s::text, %(slots)s::int, %(pid)s::int,
    now() + %(lease)s::interval
)
ON CONFLICT (incarnation) DO UPDATE
SET slots = excluded.slots,
    lease_until = excluded.lease_until
