-- queue_wake.sql
-- Tell the executors of queues that jobs were made available; they hear it when the transaction commits.
--   in:    queues
--   out:   how many queues were named
SELECT count(pg_notify(
    coalesce(%(schema)s::text, current_schema()) || '.river_insert', '{"queue": ' || to_json(queue)::text || '}'
))
FROM unnest(%(queues)s::text[]) AS named (queue)
