-- river_leader_request_resign.sql
-- Ask the client of River that leads to step down; its row is not touched, for it would go on leading for seconds.
--   in:    nothing
--   out:   one row
--   locks: none
SELECT pg_notify(
    coalesce(%(schema)s::text, current_schema()) || '.river_leadership', '{"action":"request_resign","leader_id":""}'
)
