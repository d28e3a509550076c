-- job_watch.sql
-- Tell how jobs stand, without what they carry.
--   in:    ids
--   out:   id, state, attempt, max_attempts, scheduled_at, attempted_at, finalized_at, number of errors, whether a
--          cancellation was asked for, and the progress its handler told, as JSON text; no row for a job that is gone
--   index: river_job_pkey
SELECT
    id, state::text, attempt, max_attempts, scheduled_at, attempted_at, finalized_at, coalesce(cardinality(errors), 0),
    metadata ? 'cancel_attempted_at', (metadata -> 'riverrun:progress')::text
FROM river_job
WHERE id = ANY (%(ids)s::bigint[])
ORDER BY id
