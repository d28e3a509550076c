-- server_hold.sql
-- Take the lock that shows by its end that a host's supervisor has ended: it goes with the session, within milliseconds.
--   in:    host_class · server_id
--   out:   whether this session has it now; false while another session has it still
--   locks: the advisory lock of this host in this schema, until the session ends; asked for once a session
--   index: none
SELECT pg_try_advisory_lock(
    %(host_class)s::int,
    hashtext(coalesce(%(schema)s::text, current_schema())::text || '.' || %(server_id)s::text)
) AS held
