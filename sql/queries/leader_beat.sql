-- leader_beat.sql
-- Show that the leader lives, and look at nothing: for as long as somebody has locked a table that the pulse looks at.
--   in:    generation
--   out:   generation; no row when this term is over
--   locks: the leader's row
--   index: riverrun_leader_pkey
UPDATE riverrun_leader
SET heartbeat_at = now()
WHERE generation = %(generation)s::bigint AND backend_pid = pg_backend_pid()
RETURNING generation
