-- Remove the figures by the hour; charts of more than three days are lost.
--   locks: ACCESS EXCLUSIVE on the table it drops
DROP TABLE riverrun_hour;
