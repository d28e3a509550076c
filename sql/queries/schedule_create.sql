-- schedule_create.sql
-- Make a schedule; its first tick is the first one after now.
--   in:    the columns; args and metadata as JSON text, tags as a JSON array of text
--   out:   name; no row when there is one of that name
--   locks: the new row
--   index: riverrun_schedule_pkey
INSERT INTO riverrun_schedule (
    name, kind, args, expression, timezone, queue, priority, max_attempts, tags, metadata, missed, run_on_start,
    unique_by, source
)
VALUES (
    %(name)s::text,
    %(kind)s::text,
    %(args)s::text::jsonb,
    %(expression)s::text,
    %(timezone)s::text,
    %(queue)s::text,
    %(priority)s::smallint,
    %(max_attempts)s::smallint,
    ARRAY(SELECT jsonb_array_elements_text(%(tags)s::text::jsonb))::varchar(255)[],
    %(metadata)s::text::jsonb,
    %(missed)s::text,
    %(run_on_start)s::boolean,
    %(unique_by)s::text::jsonb,
    'api'
)
ON CONFLICT (name) DO NOTHING
RETURNING name
