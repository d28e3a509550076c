-- job_claimed.sql
-- Part of a claim: what an attempt needs of river_job AS job, in the order in which claimed_job.py reads it.
-- Times are whole microseconds since 1970, which cost the executor nothing to carry. date_part's doubles round to them
-- exactly until 2106 and cost half of what extract's numerics do. What another client has stored beyond Python's years
-- is the nearest that it has.
job.id,
job.kind,
job.args::text,
job.attempt,
job.max_attempts,
job.priority,
job.metadata::text,
job.tags,
coalesce(cardinality(job.errors), 0) AS errors,
(date_part('epoch', job.attempted_at) * 1000000)::bigint AS attempted_us,
(date_part('epoch', greatest(job.scheduled_at, '0001-01-02 00:00+00')) * 1000000)::bigint AS scheduled_us,
(
    date_part('epoch', greatest(least(job.created_at, '9999-12-30 00:00+00'), '0001-01-02 00:00+00')) * 1000000
)::bigint AS created_us
