-- Vacuum and analyze jobs as the server does by default.
--   locks: SHARE UPDATE EXCLUSIVE on river_job for an instant
ALTER TABLE river_job RESET (
    autovacuum_vacuum_scale_factor,
    autovacuum_vacuum_threshold,
    autovacuum_vacuum_cost_delay,
    autovacuum_analyze_scale_factor,
    autovacuum_analyze_threshold,
    vacuum_index_cleanup
);
