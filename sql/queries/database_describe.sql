-- database_describe.sql
-- Return what a connection and its database server are like.
--   out:   one row: version, as 150004 · its text · now, by the server's clock · role · database · standby · fsync ·
--          synchronous_commit, as this session has it · autovacuum · connections of clients, and how many a role
--          without privileges may open at most · filled part of the notification queue
--   locks: none
--   index: none
SELECT
    current_setting('server_version_num')::int AS version,
    split_part(current_setting('server_version'), ' ', 1) AS version_text,
    clock_timestamp() AS now,
    current_user::text AS role,
    current_database()::text AS database,
    pg_is_in_recovery() AS standby,
    current_setting('fsync')::bool AS fsync,
    current_setting('synchronous_commit') AS synchronous_commit,
    current_setting('autovacuum')::bool AS autovacuum,
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
    current_setting('max_connections')::int
    - current_setting('superuser_reserved_connections')::int
    - coalesce(current_setting('reserved_connections', true)::int, 0) AS most_connections,
    pg_notification_queue_usage() AS notification_queue
