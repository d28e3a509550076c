-- job_discarded_lately.sql
-- Count the jobs that were discarded within some time, by queue and kind.
--   in:    seconds · cap, how many are looked at
--   out:   queue, kind, how many, id of the newest, its last error
--   index: river_job_state_and_finalized_at_index; it is partial, hence the IS NOT NULL
SELECT
    queue, kind, count(*), max(id),
    (array_agg(errors[cardinality(errors)] ->> 'error' ORDER BY finalized_at DESC))[1]
FROM (
    SELECT id, queue, kind, errors, finalized_at
    FROM river_job
    WHERE state = 'discarded'
        AND finalized_at IS NOT NULL
        AND finalized_at > now() - make_interval(secs => %(seconds)s::float8)
    ORDER BY finalized_at DESC
    LIMIT %(cap)s::int
) AS lately
GROUP BY queue, kind
ORDER BY queue, kind
