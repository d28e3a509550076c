-- job_same_start.sql
-- Part of the fence of what a handler writes in its own transaction: whether river_job AS job bears the start of the
-- attempt. One that was made to look young (job_refresh.sql) since is known by what stands in its metadata; a handler in a
-- process of its own does not hear of it.
(
    job.attempted_at = timestamptz 'epoch' + %(attempted_us)s::bigint * interval '1 microsecond'
    OR (
        job.metadata -> 'riverrun:started_us' = to_jsonb(%(started_us)s::bigint)
        AND job.metadata -> 'riverrun:refreshed_us'
            = to_jsonb((extract(epoch FROM job.attempted_at) * 1000000)::bigint)
    )
)
