-- job_copy_new.sql
-- Insert many jobs whose ids nobody asks for: as job_copy.sql, but ids and times of creation are the column's defaults.
--   in:    rows on the wire, in the order of the columns
--   locks: none that another job's insert would wait for
COPY river_job (
    state, scheduled_at, kind, args, metadata, queue, priority, max_attempts, tags
)
FROM STDIN
