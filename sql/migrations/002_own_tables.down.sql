-- Remove Riverrun's own tables: handlers, schedules and queue settings made through the API are lost.
--   locks: ACCESS EXCLUSIVE on every table it drops
DROP TABLE
    riverrun_leader,
    riverrun_server,
    riverrun_executor,
    riverrun_handler,
    riverrun_queue_setting,
    riverrun_schedule,
    riverrun_schedule_tick,
    riverrun_minute,
    riverrun_idempotency_key;
DROP SEQUENCE riverrun_revision_seq;
