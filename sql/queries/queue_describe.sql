-- queue_describe.sql
-- Replace what is said about a queue, and tell those who work on it, in the text that the sender wrote.
--   in:    queue · metadata, JSON text of an object that fits into a notification
--   out:   name; no row when the queue is not known
--   locks: the queue
--   index: river_queue_pkey
WITH described AS (
    UPDATE river_queue
    SET metadata = %(metadata)s::text::jsonb, updated_at = now()
    WHERE name = %(queue)s::text
    RETURNING name
)
SELECT name, (
    SELECT pg_notify(
        coalesce(%(schema)s::text, current_schema()) || '.river_control',
        '{"action":"metadata_changed","metadata":' || %(metadata)s::text || ',"queue":' || to_json(name)::text || '}'
    )
)
FROM described
