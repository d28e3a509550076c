-- Figures by the hour, which outlive those by the minute and are small enough for charts of weeks.
--   locks: a new object only
CREATE TABLE riverrun_hour (
    hour timestamptz NOT NULL,
    queue text NOT NULL,
    kind text NOT NULL,
    completed bigint NOT NULL,
    retried bigint NOT NULL,
    snoozed bigint NOT NULL,
    discarded bigint NOT NULL,
    cancelled bigint NOT NULL,
    interrupted bigint NOT NULL,
    rescued bigint NOT NULL,
    run_seconds double precision NOT NULL,
    wait_seconds double precision NOT NULL,
    run_buckets bigint[] NOT NULL,
    wait_buckets bigint[] NOT NULL,
    PRIMARY KEY (hour, queue, kind),
    CONSTRAINT riverrun_hour_queue_length CHECK (char_length(queue) BETWEEN 1 AND 127),
    CONSTRAINT riverrun_hour_kind_length CHECK (char_length(kind) BETWEEN 1 AND 127)
);

COMMENT ON TABLE riverrun_hour IS 'The rows of riverrun_minute summed up by the hour, one for each hour, queue and kind.';
