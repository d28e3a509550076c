-- Remove the operations on many jobs; those that run end where they are.
--   locks: ACCESS EXCLUSIVE on the table it drops
DROP TABLE riverrun_bulk;
