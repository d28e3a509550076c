-- Let a job have a priority of 1 to 4 only, as River made it.
--   In one transaction, so that a refusal leaves the wider check in place.
--   locks: ACCESS EXCLUSIVE on river_job while its rows are read
DO $$
DECLARE
    too_high bigint := (SELECT count(*) FROM river_job WHERE priority > 4);
BEGIN
    IF too_high > 0 THEN
        RAISE EXCEPTION 'jobs with a priority of 5 to 9 in river_job: %; River allows 1 to 4, so delete them or lower their priority first',
            too_high;
    END IF;
END
$$;

ALTER TABLE river_job
DROP CONSTRAINT IF EXISTS priority_in_range,
ADD CONSTRAINT priority_in_range CHECK (priority >= 1 AND priority <= 4);
