-- leader_resign.sql
-- End a term of one's own will: free the lock and tell those who wait for it.
--   in:    lock_class · generation
--   out:   whether the lock was held
--   locks: the leader's row
--   index: riverrun_leader_pkey
WITH ended AS (
    UPDATE riverrun_leader
    SET backend_pid = NULL, heartbeat_at = NULL
    WHERE generation = %(generation)s::bigint AND backend_pid = pg_backend_pid()
    RETURNING generation
)
SELECT
    pg_advisory_unlock(%(lock_class)s::int, hashtext(coalesce(%(schema)s::text, current_schema())::text)) AS unlocked,
    (
        SELECT pg_notify(
            coalesce(%(schema)s::text, current_schema()) || '.riverrun_leadership',
            json_build_object('action', 'resigned', 'generation', generation)::text
        )
        FROM ended
    )
