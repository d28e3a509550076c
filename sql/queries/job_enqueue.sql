-- job_enqueue.sql
-- Insert jobs, tell the executors of their queues, and return one row for each input in its order.
--   in:    parallel arrays, one element a job: kinds, args and metadata (JSON text), queues, priorities, max_attempts,
--          scheduled_at (NULL: now), delays (seconds from now, NULL: none), pending, tags (JSON arrays of text),
--          unique_keys and unique_states (NULL: not unique; equal keys must not meet in one call)
--   out:   in the order of the input, the whole job and whether it is a duplicate: a job that was there before
--   locks: the existing job of a duplicate, until the transaction ends
--   index: river_job_unique_idx
-- Rows go in in the order of their unique keys, so that two calls never wait for each other in a circle.
-- A duplicate is told by its id: an id that was not taken from the sequence here belongs to an older job.
WITH input AS MATERIALIZED (
    SELECT
        nextval('river_job_id_seq') AS id,
        job.ordinal,
        job.kind,
        job.args::jsonb AS args,
        job.metadata::jsonb AS metadata,
        job.queue,
        job.priority,
        job.max_attempts,
        coalesce(job.scheduled_at, now() + make_interval(secs => job.delay), now()) AS scheduled_at,
        CASE
            WHEN job.pending THEN 'pending'
            WHEN job.scheduled_at IS NOT NULL OR job.delay IS NOT NULL THEN 'scheduled'
            ELSE 'available'
        END::river_job_state AS state,
        ARRAY(SELECT jsonb_array_elements_text(job.tags::jsonb))::varchar(255)[] AS tags,
        job.unique_key,
        job.unique_states::bit(8) AS unique_states
    FROM unnest(
        %(kinds)s::text[],
        %(args)s::text[],
        %(metadata)s::text[],
        %(queues)s::text[],
        %(priorities)s::smallint[],
        %(max_attempts)s::smallint[],
        %(scheduled_at)s::timestamptz[],
        %(delays)s::float8[],
        %(pending)s::bool[],
        %(tags)s::text[],
        %(unique_keys)s::bytea[],
        %(unique_states)s::text[]
    ) WITH ORDINALITY AS job (
        kind, args, metadata, queue, priority, max_attempts, scheduled_at, delay, pending, tags, unique_key,
        unique_states, ordinal
    )
),
inserted AS (
    INSERT INTO river_job AS job (
        id, kind, args, metadata, queue, priority, max_attempts, scheduled_at, state, tags, unique_key, unique_states
    )
    SELECT
        id, kind, args, metadata, queue, priority, max_attempts, scheduled_at, state, tags, unique_key, unique_states
    FROM input
    ORDER BY unique_key, ordinal
    ON CONFLICT (unique_key) WHERE
        unique_key IS NOT NULL
        AND unique_states IS NOT NULL
        AND river_job_state_in_bitmask(unique_states, state)
    DO UPDATE SET kind = job.kind
    RETURNING
        job.id, job.state, job.attempt, job.max_attempts, job.attempted_at, job.created_at, job.finalized_at,
        job.scheduled_at, job.priority, job.args, job.attempted_by, job.errors, job.kind, job.metadata, job.queue,
        job.tags, job.unique_key, job.unique_states
),
answered AS (
    SELECT input.ordinal, input.id AS new_id, inserted.id
    FROM input
    JOIN inserted ON inserted.id = input.id
    UNION ALL
    SELECT input.ordinal, input.id, inserted.id
    FROM input
    JOIN inserted ON inserted.unique_key = input.unique_key
    WHERE inserted.id <> input.id
),
woken AS (
    SELECT pg_notify(
        coalesce(%(schema)s::text, current_schema()) || '.river_insert', '{"queue": ' || to_json(queue)::text || '}'
    )
    FROM (
        SELECT DISTINCT inserted.queue
        FROM inserted
        JOIN input ON input.id = inserted.id
        WHERE inserted.state = 'available'
    ) AS queues
)
SELECT
    \ir parts/job_whole.sql
    , answered.id <> answered.new_id AS duplicate, (SELECT count(*) FROM woken) AS queues_woken
FROM answered
JOIN inserted AS job ON job.id = answered.id
ORDER BY answered.ordinal
