-- job_queues.sql
-- Tell in which queues jobs are, and in which state.
--   in:    ids
--   out:   id, queue and state of every job that exists
--   index: river_job_pkey
SELECT id, queue, state::text FROM river_job WHERE id = ANY (%(ids)s::bigint[])
