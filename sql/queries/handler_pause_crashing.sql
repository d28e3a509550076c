-- handler_pause_crashing.sql
-- Pause a kind whose jobs crash one after another: each has been alone when its process ended.
--   in:    kind · most, how many may be quarantined within ten minutes
--   out:   kind, if it was paused now
--   locks: the handler
--   index: riverrun_handler_pkey, river_job_state_and_finalized_at_index
UPDATE riverrun_handler
SET paused_at = now(), revision = nextval('riverrun_revision_seq'), updated_at = now()
WHERE kind = %(kind)s::text
    AND paused_at IS NULL
    AND (
        SELECT count(*)
        FROM river_job
        WHERE state = 'discarded'
            AND finalized_at > now() - interval '10 minutes'
            AND kind = %(kind)s::text
            AND metadata ? 'riverrun:quarantined'
    ) > %(most)s::int
RETURNING kind
