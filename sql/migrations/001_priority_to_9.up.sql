-- no transaction: the first statement locks everybody out, for an instant; the second reads the whole table
-- Let a job have a priority of 1 (first) to 9; River's clients use 1 to 4.
--   locks: ACCESS EXCLUSIVE on river_job for an instant, then SHARE UPDATE EXCLUSIVE while its rows are read
ALTER TABLE river_job
DROP CONSTRAINT IF EXISTS priority_in_range,
ADD CONSTRAINT priority_in_range CHECK (priority >= 1 AND priority <= 9) NOT VALID;

ALTER TABLE river_job VALIDATE CONSTRAINT priority_in_range;
