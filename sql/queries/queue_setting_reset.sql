-- queue_setting_reset.sql
-- Forget what was set at run time: the configuration of each host counts again.
--   in:    queue · server_id, empty for the setting of all servers
--   out:   the queue, when something was set
--   index: riverrun_queue_setting_pkey
DELETE FROM riverrun_queue_setting
WHERE queue = %(queue)s::text AND server_id = %(server_id)s::text
RETURNING queue
