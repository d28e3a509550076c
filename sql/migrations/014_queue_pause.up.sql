-- Why a queue is paused, by whom and until when; River's own row says only since when.
--   locks: new objects only
CREATE TABLE riverrun_queue_pause (
    queue text PRIMARY KEY,
    paused_at timestamptz NOT NULL,
    reason text NOT NULL DEFAULT '',
    actor text NOT NULL DEFAULT '',
    resume_at timestamptz,
    CONSTRAINT riverrun_queue_pause_queue_length CHECK (char_length(queue) BETWEEN 1 AND 127),
    CONSTRAINT riverrun_queue_pause_reason_length CHECK (char_length(reason) <= 255),
    CONSTRAINT riverrun_queue_pause_actor_length CHECK (char_length(actor) <= 255)
);

COMMENT ON TABLE riverrun_queue_pause IS 'What was said about the pause of a queue; it counts while paused_at is that of river_queue, so a pause by another client has no such row.';
