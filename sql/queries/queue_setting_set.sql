-- queue_setting_set.sql
-- Set how many slots a queue has, on one server or on all, until it is set anew or reset.
--   in:    queue · server_id, empty for all servers · max_workers
--   index: riverrun_queue_setting_pkey
INSERT INTO riverrun_queue_setting AS setting (queue, server_id, max_workers)
VALUES (%(queue)s::text, %(server_id)s::text, %(max_workers)s::int)
ON CONFLICT (queue, server_id) DO UPDATE
SET max_workers = excluded.max_workers, revision = nextval('riverrun_revision_seq'), updated_at = now()
