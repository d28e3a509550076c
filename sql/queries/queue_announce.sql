-- queue_announce.sql
-- Say that this queue is being worked on, as River's own clients do; a pause that is set stays.
--   in:    queue
--   index: river_queue_pkey
INSERT INTO river_queue AS known (name, created_at, updated_at)
VALUES (%(queue)s::text, now(), now())
ON CONFLICT (name) DO UPDATE SET updated_at = now()
