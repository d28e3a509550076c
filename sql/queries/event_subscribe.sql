-- event_subscribe.sql
-- Hold, for the life of the session, the lock by which executors see that somebody subscribes to events.
--   out:   the schema of River's tables, whose notifications are to be heard
--   locks: an advisory lock that is shared, so nobody waits for it
SELECT coalesce(%(schema)s::text, current_schema()), pg_advisory_lock_shared(1919512178, 1)
