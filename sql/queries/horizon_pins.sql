-- horizon_pins.sql
-- Name everything that keeps VACUUM from removing dead rows of this database, what has done so for longest first.
--   out:   what: transaction, prepared, standby (feedback without a slot) or slot · name: pid, global id of the prepared
--          transaction, pid of the WAL sender, name of the slot · pid, or NULL · owner · application · state ·
--          seconds: its age, NULL where PostgreSQL keeps none or hides it from this role · transactions begun since ·
--          xid, the oldest one that it still sees · statement, its beginning up to where a value might stand
--   locks: none
--   index: the catalogue's own
-- A transaction that wrote and now waits has no snapshot any more; its own xid pins all the same. VACUUM ignores VACUUM.
-- Text of a statement leaves the database only up to the first quote, number or comment: no argument, no literal.
SELECT what, name, pid, owner, application, state, seconds, age(xid) AS transactions, xid::text AS xid, statement
FROM (
    SELECT
        CASE WHEN datname IS NULL THEN 'standby' ELSE 'transaction' END AS what,
        pid::text AS name,
        pid,
        usename::text AS owner,
        application_name AS application,
        state,
        extract(epoch FROM clock_timestamp() - xact_start)::float8 AS seconds,
        CASE
            WHEN backend_xmin IS NULL OR age(backend_xid) > age(backend_xmin) THEN backend_xid ELSE backend_xmin
        END AS xid,
        left(regexp_replace(
            substring(query FROM '^(?:(?!--|/\*)(?:[^''$0-9]|(?<=\w)[0-9]))*'), '\s+', ' ', 'g'
        ), 60) AS statement
    FROM pg_stat_activity
    WHERE (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL)
        AND (datname = current_database() OR (datname IS NULL AND backend_type = 'walsender'))
        AND pid <> pg_backend_pid()
        AND pid NOT IN (SELECT pid FROM pg_stat_progress_vacuum)
    UNION ALL
    SELECT
        'prepared', gid, NULL, owner::text, NULL, NULL, extract(epoch FROM clock_timestamp() - prepared)::float8,
        transaction, NULL
    FROM pg_prepared_xacts
    WHERE database = current_database()
    UNION ALL
    SELECT
        'slot', slot_name::text, active_pid, NULL, NULL, CASE WHEN active THEN 'active' ELSE 'inactive' END, NULL,
        xmin, NULL
    FROM pg_replication_slots
    WHERE xmin IS NOT NULL
) AS pins
ORDER BY age(xid) DESC, name
