-- recovery_answer.sql
-- Say that an executor has looked after its jobs, if somebody may be waiting for that.
--   in:    queue · incarnation
--   out:   nothing
--   locks: none that anybody waits for
--   index: riverrun_recovery_pkey
INSERT INTO riverrun_recovery (queue, incarnation)
SELECT %(queue)s::text, %(incarnation)s::text
WHERE NOT EXISTS (SELECT FROM riverrun_recovery WHERE queue = %(queue)s::text AND incarnation = '')
ON CONFLICT DO NOTHING
