-- Which executors have looked after their jobs since the server last came up without what was not on its disk.
--   locks: new objects only
-- Unlogged: that it is empty after a crash, or on a standby that was promoted, is what tells of one.
CREATE UNLOGGED TABLE riverrun_recovery (
    queue text NOT NULL,
    incarnation text NOT NULL,
    answered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (queue, incarnation),
    CONSTRAINT riverrun_recovery_queue_length CHECK (char_length(queue) BETWEEN 1 AND 127),
    CONSTRAINT riverrun_recovery_incarnation_length CHECK (char_length(incarnation) <= 127)
);

COMMENT ON TABLE riverrun_recovery IS 'Executors that have claimed again what a crash of the server has undone; an empty incarnation means that nobody of the queue is waited for any more.';
