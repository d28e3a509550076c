-- audit_head.sql
-- Tell where the chain ends.
--   out:   number and hash of the newest entry
SELECT number, hash FROM riverrun_audit_head
