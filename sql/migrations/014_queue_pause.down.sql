-- Forget why queues are paused; they stay paused.
--   locks: ACCESS EXCLUSIVE on the table it drops
DROP TABLE riverrun_queue_pause;
