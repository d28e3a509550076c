-- Remove the record of who changed what.
--   locks: ACCESS EXCLUSIVE on the tables it drops
DROP TABLE riverrun_audit, riverrun_audit_head;
