-- Remove River's own tables with every job in them.
--   Refused while another product keeps its migrations in River's table: its tables stand on these.
--   locks: ACCESS EXCLUSIVE on every table it drops
DO $$
DECLARE
    other text := (SELECT string_agg(DISTINCT line, ', ') FROM river_migration WHERE line <> 'main');
BEGIN
    IF other IS NOT NULL THEN
        RAISE EXCEPTION 'river_migration has rows of another line (%); remove what they installed first', other;
    END IF;
END
$$;

DROP TABLE river_job, river_queue, river_leader, river_notification, river_migration;
DROP FUNCTION river_job_state_in_bitmask(bit, river_job_state);
DROP TYPE river_job_state;
