-- Forget what people were told.
--   locks: ACCESS EXCLUSIVE on the table it drops
DROP TABLE riverrun_notice;
