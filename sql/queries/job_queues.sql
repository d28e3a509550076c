-- job_queues.sql
-- Tell in which queues jobs are.
--   in:    ids
--   out:   id and queue of every job that exists
--   index: river_job_pkey
SELECT id, queue FROM river_job WHERE id = ANY (%(ids)s::bigint[])
