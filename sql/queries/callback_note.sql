-- callback_note.sql
-- Note in the row of a running attempt that its service lives, and what it says.
--   in:    id, attempt, attempted_us, incarnation (the fence) · patch, JSON text merged into metadata, or NULL
--   out:   id, if the attempt still runs
--   locks: the job
--   index: river_job_pkey
UPDATE river_job AS job
SET metadata =
        \ir parts/job_members.sql
        || coalesce(%(patch)s::text, '{}')::jsonb
        || jsonb_build_object(
            'riverrun:callbacks',
            1 + CASE jsonb_typeof(metadata -> 'riverrun:callbacks')
                WHEN 'number' THEN least(greatest((metadata ->> 'riverrun:callbacks')::numeric, 0), 1000000000)::int
                ELSE 0
            END
        )
WHERE id = %(id)s::bigint
    AND state::text = 'running'
    AND attempt = %(attempt)s::smallint
    AND attempted_at = timestamptz 'epoch' + %(attempted_us)s::bigint * interval '1 microsecond'
    AND attempted_by[cardinality(attempted_by)] = %(incarnation)s::text
RETURNING id
