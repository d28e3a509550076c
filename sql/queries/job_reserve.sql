-- job_reserve.sql
-- Take ids for jobs that are about to be copied in, with the time at which their transaction began.
--   in:    count
--   out:   count rows, ascending: an id from the sequence, and the time; ids that are not used leave a gap
SELECT nextval('river_job_id_seq') AS id, now() AS now
FROM generate_series(1, %(count)s::int)
