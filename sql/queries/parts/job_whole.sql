-- job_whole.sql
-- Part of statements that give whole jobs: the columns of river_job AS job, in the order in which store/rows.py reads
-- them.
job.id, job.state::text, job.attempt, job.max_attempts, job.attempted_at, job.created_at, job.finalized_at,
job.scheduled_at, job.priority, job.args::text, job.attempted_by, job.errors::text[], job.kind, job.metadata::text,
job.queue, job.tags, job.unique_key, job.unique_states::text
