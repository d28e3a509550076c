-- river_leader_resign.sql
-- Give River's leader row back and tell River's clients, who then elect one of themselves within 50 ms.
--   in:    leader_id and elected_at of the reign; without elected_at, any reign of that id
--   out:   leader_id; no row when the reign was over already
--   locks: the row
--   index: river_leader_pkey
WITH gone AS (
    DELETE FROM river_leader
    WHERE name = 'default'
        AND leader_id = %(leader_id)s::text
        AND (%(elected_at)s::timestamptz IS NULL OR elected_at = %(elected_at)s::timestamptz)
    RETURNING leader_id
)
SELECT leader_id, pg_notify(
    coalesce(%(schema)s::text, current_schema()) || '.river_leadership',
    json_build_object('leader_id', leader_id, 'action', 'resigned')::text
)
FROM gone
