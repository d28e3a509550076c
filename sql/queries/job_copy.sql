-- job_copy.sql
-- Insert many jobs that need no look at the ones that are there: no unique keys, every value known.
--   in:    rows on the wire, in the order of the columns
--   locks: none that another job's insert would wait for
-- One failing row fails them all. The executors are told by queue_wake.sql in the same transaction.
COPY river_job (
    id, state, created_at, scheduled_at, kind, args, metadata, queue, priority, max_attempts, tags
)
FROM STDIN
