-- index_hold.sql
-- Take the right to build the indexes of this schema anew: two that did so at once could wait for each other.
--   in:    lock_class
--   out:   whether this session has it now; false while another one has it
--   locks: the advisory lock of this schema's indexes, until the session ends; never waits
--   index: none
SELECT pg_try_advisory_lock(
    %(lock_class)s::int, hashtext(coalesce(%(schema)s::text, current_schema())::text)
) AS held
