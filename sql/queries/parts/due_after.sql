-- due_after.sql
-- Part of statements that look for due jobs, earliest first: behind which place, (scheduled_at, id), to begin. Takes
-- floor_at, before which nothing is left; floor_id · reach, how far back from now; each NULL for no bound.
-- While an old transaction keeps vacuum away, a look from the beginning steps over every job ever promoted.
(scheduled_at, id) > (
    greatest(%(floor_at)s::timestamptz, now() - %(reach)s::interval, '-infinity'),
    coalesce(%(floor_id)s::bigint, 0)
)
