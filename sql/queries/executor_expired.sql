-- executor_expired.sql
-- Name executors whose lease ran out a while ago and whose jobs nobody has taken back.
--   in:    seconds, how long ago
--   out:   incarnation · server_id · queue · seconds since
--   locks: none
--   index: a row for each executor process: a scan is right
SELECT incarnation, server_id, queue, extract(epoch FROM now() - lease_until)::float8 AS seconds
FROM riverrun_executor
WHERE lease_until < now() - make_interval(secs => %(seconds)s::float8)
ORDER BY incarnation
