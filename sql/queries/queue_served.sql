-- queue_served.sql
-- Say which of some queues have an executor that lives.
--   in:    queues
--   out:   the names of those that are served
--   index: riverrun_executor is a row for each executor process: a scan is right
SELECT DISTINCT queue
FROM riverrun_executor
WHERE queue = ANY (%(queues)s::text[]) AND lease_until > now() AND slots > 0
ORDER BY queue
