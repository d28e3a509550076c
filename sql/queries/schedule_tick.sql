-- schedule_tick.sql
-- Enqueue the jobs of a schedule's ticks and remember them, if nobody has done so since it was read: all or nothing.
--   in:    generation, the leader's term · name, revision and last_tick of the schedule as it was read · ticks, in
--          ascending order, and parallel to them unique_keys · settled, up to when its ticks are enqueued or left out ·
--          unique_states, for all of them; NULL: not unique · priority and max_attempts for a schedule that names none
--   out:   moved, whether the schedule was as it was read · enqueued, the ids of the jobs that no unique key kept away
--   locks: the schedule
--   index: riverrun_schedule_pkey, riverrun_schedule_tick_pkey, river_job_unique_idx
-- Two walls against a second job for one tick: last_tick must be the one that was read, and the tick itself is a
-- primary key.
WITH held AS MATERIALIZED (
    SELECT name, kind, args, queue, priority, max_attempts, tags, metadata
    FROM riverrun_schedule
    WHERE name = %(name)s::text
        AND revision = %(revision)s::bigint
        AND last_tick IS NOT DISTINCT FROM %(last_tick)s::timestamptz
        AND paused_at IS NULL
        AND EXISTS (SELECT FROM riverrun_leader WHERE generation = %(generation)s::bigint)
    FOR UPDATE
),
moved AS (
    UPDATE riverrun_schedule AS schedule
    SET last_tick = %(settled)s::timestamptz
    FROM held
    WHERE schedule.name = held.name
    RETURNING schedule.name
),
ticked AS (
    INSERT INTO riverrun_schedule_tick (schedule, tick, job_id)
    SELECT held.name, given.tick, nextval('river_job_id_seq')
    FROM held
    CROSS JOIN unnest(%(ticks)s::timestamptz[]) AS given (tick)
    ORDER BY given.tick
    ON CONFLICT (schedule, tick) DO NOTHING
    RETURNING tick, job_id
),
inserted AS (
    INSERT INTO river_job (
        id, kind, args, metadata, queue, priority, max_attempts, tags, unique_key, unique_states
    )
    SELECT
        ticked.job_id,
        held.kind,
        held.args,
        held.metadata || jsonb_build_object(
            'periodic', true,
            'river:periodic_job_id', held.name,
            'riverrun:schedule', held.name,
            'riverrun:tick', ticked.tick
        ),
        held.queue,
        coalesce(held.priority, %(priority)s::smallint),
        coalesce(held.max_attempts, %(max_attempts)s::smallint),
        held.tags,
        given.unique_key,
        %(unique_states)s::text::bit(8)
    FROM ticked
    JOIN unnest(%(ticks)s::timestamptz[], %(unique_keys)s::bytea[]) AS given (tick, unique_key)
        ON given.tick = ticked.tick
    CROSS JOIN held
    ORDER BY ticked.tick
    ON CONFLICT (unique_key) WHERE
        unique_key IS NOT NULL
        AND unique_states IS NOT NULL
        AND river_job_state_in_bitmask(unique_states, state)
    DO NOTHING
    RETURNING id, queue
),
woken AS (
    SELECT pg_notify(
        coalesce(%(schema)s::text, current_schema()) || '.river_insert', '{"queue": ' || to_json(queue)::text || '}'
    )
    FROM (SELECT DISTINCT queue FROM inserted) AS queues
)
SELECT
    EXISTS (SELECT FROM moved) AS moved,
    ARRAY(SELECT id FROM inserted ORDER BY id) AS enqueued,
    (SELECT count(*) FROM woken) AS queues_woken
