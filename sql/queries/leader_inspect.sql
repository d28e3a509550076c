-- leader_inspect.sql
-- Say who leads, and who holds River's own leader row.
--   out:   server_id, NULL when nobody ever led · seconds since it was last heard of, NULL likewise ·
--          river_leads, NULL when nobody holds that row
--   locks: none
--   index: riverrun_leader_pkey, river_leader_pkey
SELECT
    leader.server_id,
    extract(epoch FROM now() - leader.heartbeat_at)::float8 AS seconds,
    (SELECT leader_id FROM river_leader WHERE expires_at >= now()) AS river_leads
FROM riverrun_leader AS leader
WHERE leader.name = 'scheduler'
