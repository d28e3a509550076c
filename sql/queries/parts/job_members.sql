-- job_members.sql
-- Part of statements that write members into the metadata of river_job AS job: those that are there.
-- River wants an object. What another client has put there instead, a list or a text, gives way: with it nothing could be
-- kept with the job, not even that it is to be cancelled.
CASE WHEN jsonb_typeof(job.metadata) = 'object' THEN job.metadata ELSE '{}' END
