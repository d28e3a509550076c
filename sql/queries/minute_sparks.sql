-- minute_sparks.sql
-- Count how many attempts of each queue succeeded and failed in each of the last minutes.
--   in:    minutes, how many, the present one included
--   out:   queue · minute · completed · failed; minutes in which nothing ended are left out
--   index: riverrun_minute_pkey
SELECT queue, minute, sum(completed)::bigint AS completed, sum(retried + discarded)::bigint AS failed
FROM riverrun_minute
WHERE minute > now() - make_interval(mins => %(minutes)s::int)
GROUP BY queue, minute
ORDER BY queue, minute
