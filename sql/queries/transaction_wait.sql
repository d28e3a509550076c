-- transaction_wait.sql
-- Let this transaction, and no later one of the session, wait for longer: between two statements, and within one.
--   in:    limit, such as 10min
--   out:   the time at which the transaction began
SELECT now()
FROM (
    SELECT
        set_config('idle_in_transaction_session_timeout', %(limit)s::text, true),
        set_config('statement_timeout', %(limit)s::text, true)
) AS allowed
