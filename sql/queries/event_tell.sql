-- event_tell.sql
-- Tell subscribers of events.
--   in:    payloads, each of less than 8,000 bytes
--   out:   how many were sent
SELECT count(pg_notify(coalesce(%(schema)s::text, current_schema()) || '.riverrun_event', payload))
FROM unnest(%(payloads)s::text[]) AS told (payload)
