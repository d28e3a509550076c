-- river_leader_renew.sql
-- Hold River's leader row for another 15 seconds.
--   in:    leader_id and elected_at of the reign
--   out:   expires_at; no row when the reign is over
--   locks: the row
--   index: river_leader_pkey
UPDATE river_leader
SET expires_at = now() + interval '15 seconds'
WHERE name = 'default'
    AND leader_id = %(leader_id)s::text
    AND elected_at = %(elected_at)s::timestamptz
    AND expires_at >= now()
RETURNING expires_at
