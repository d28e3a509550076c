-- minute_forget.sql
-- Delete the figures of a queue that only measurements used.
--   in:    queue
--   locks: those rows
--   index: none; the table has a row for each minute, queue and kind of a few days
DELETE FROM riverrun_minute
WHERE queue = %(queue)s::text
