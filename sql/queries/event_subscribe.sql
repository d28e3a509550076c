-- event_subscribe.sql
-- Hold, for the life of the session, the lock by which executors see that somebody subscribes to events.
--   out:   nothing of interest
--   locks: an advisory lock that is shared, so nobody waits for it
SELECT pg_advisory_lock_shared(1919512178, 1)
