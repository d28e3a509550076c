-- river_leader_elect.sql
-- Take River's leader row when it is free, so that River's own clients stand by.
--   in:    generation, the leader's term · leader_id · family, how the ids of all our schedulers begin
--   out:   elected_at, which names this reign; no row when a client of River holds it
--   locks: the row
--   index: river_leader_pkey
-- A row of another scheduler of ours is free as well: it stopped leading before this term began.
INSERT INTO river_leader AS leader (leader_id, elected_at, expires_at)
SELECT %(leader_id)s::text, now(), now() + interval '15 seconds'
FROM riverrun_leader
WHERE generation = %(generation)s::bigint
ON CONFLICT (name) DO UPDATE
SET leader_id = excluded.leader_id, elected_at = excluded.elected_at, expires_at = excluded.expires_at
WHERE leader.expires_at < now() OR starts_with(leader.leader_id, %(family)s::text)
RETURNING elected_at
