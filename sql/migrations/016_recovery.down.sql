-- Claim without asking who was there before a crash.
--   locks: ACCESS EXCLUSIVE on the table it drops
DROP TABLE riverrun_recovery;
