-- event_wanted.sql
-- Return whether somebody subscribes to events; no more while the queue of notifications fills up, because a full one
-- makes every enqueue fail.
--   out:   wanted
--   locks: none; event_subscribe.sql holds the one that is looked for
SELECT
    EXISTS (
        SELECT
        FROM pg_locks
        WHERE locktype = 'advisory'
            AND classid = 1919512178
            AND objid = 1
            AND objsubid = 2
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    )
    AND pg_notification_queue_usage() < 0.05 AS wanted
