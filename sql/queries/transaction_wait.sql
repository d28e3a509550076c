-- transaction_wait.sql
-- Let this transaction, and no later one of the session, stay idle for longer between two statements.
--   in:    limit, such as 10min
SELECT set_config('idle_in_transaction_session_timeout', %(limit)s::text, true)
