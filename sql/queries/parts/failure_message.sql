-- failure_message.sql
-- Part of statements that tell failures apart: the first line of what an error has said, with numbers and ids replaced
-- by #.
--   in:    said, a column
regexp_replace(
    left(split_part(said, E'\n', 1), 200),
    '\m(0x[0-9a-f]+|[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{16,}|[0-9]+)\M', '#', 'gi'
)
