-- Vacuum and analyze jobs early, at full speed, and their indexes always.
--   Each job leaves two or three dead rows, each of them in every index, and claims step over them until they
--   are vacuumed. PostgreSQL's default waits for a fifth of the table: with a long history, for hours.
--   A small share, not a fixed number: each vacuum reads the indexes whole.
--   locks: SHARE UPDATE EXCLUSIVE on river_job for an instant
ALTER TABLE river_job SET (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.02,
    autovacuum_analyze_threshold = 1000,
    vacuum_index_cleanup = on
);
