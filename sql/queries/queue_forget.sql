-- queue_forget.sql
-- Forget a queue that only measurements used.
--   in:    queue
--   locks: its row
--   index: river_queue_pkey
DELETE FROM river_queue
WHERE name = %(queue)s::text
