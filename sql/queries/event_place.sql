-- event_place.sql
-- Name the schema whose notifications a subscriber is to hear.
--   out:   the schema of River's tables
SELECT coalesce(%(schema)s::text, current_schema())
