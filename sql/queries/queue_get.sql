-- queue_get.sql
-- Return one queue that is known.
--   in:    queue
--   out:   name, metadata, created_at, updated_at, paused_at; no row when nobody has made it known
--   locks: none
--   index: river_queue_pkey
SELECT name, metadata::text, created_at, updated_at, paused_at
FROM river_queue
WHERE name = %(queue)s::text
