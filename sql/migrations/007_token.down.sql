-- Remove the tokens of the HTTP API; those in the configuration stay.
--   locks: ACCESS EXCLUSIVE on the table it drops
DROP TABLE riverrun_token;
