-- Riverrun's own tables: who leads, who lives, what is registered, what is scheduled, what was counted.
--   locks: new objects only
CREATE SEQUENCE riverrun_revision_seq AS bigint;

COMMENT ON SEQUENCE riverrun_revision_seq IS 'Numbers every change of a handler, queue setting or schedule; whoever knows the highest number is up to date.';

CREATE TABLE riverrun_leader (
    name text PRIMARY KEY DEFAULT 'scheduler',
    generation bigint NOT NULL DEFAULT 0,
    server_id text,
    backend_pid int,
    elected_at timestamptz,
    heartbeat_at timestamptz,
    CONSTRAINT riverrun_leader_name_is_scheduler CHECK (name = 'scheduler'),
    CONSTRAINT riverrun_leader_generation_is_not_negative CHECK (generation >= 0),
    CONSTRAINT riverrun_leader_server_id_length CHECK (char_length(server_id) BETWEEN 1 AND 127)
);

COMMENT ON TABLE riverrun_leader IS 'The one scheduler that leads; its generation rises with every term and fences the writes of the term before.';

INSERT INTO riverrun_leader (name, generation) VALUES ('scheduler', 0);

-- Half-empty pages: a heartbeat finds room for the new row beside the old one and touches no index.
CREATE TABLE riverrun_server (
    server_id text PRIMARY KEY,
    host text NOT NULL,
    pid int NOT NULL,
    version text NOT NULL,
    roles text[] NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    heartbeat_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT riverrun_server_server_id_length CHECK (char_length(server_id) BETWEEN 1 AND 127),
    CONSTRAINT riverrun_server_host_length CHECK (char_length(host) BETWEEN 1 AND 255),
    CONSTRAINT riverrun_server_version_length CHECK (char_length(version) BETWEEN 1 AND 127)
) WITH (fillfactor = 50);

COMMENT ON TABLE riverrun_server IS 'Hosts that run a daemon, and when each was last heard of.';

CREATE TABLE riverrun_executor (
    incarnation text PRIMARY KEY,
    server_id text NOT NULL,
    queue text NOT NULL,
    slots int NOT NULL,
    pid int NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    lease_until timestamptz NOT NULL,
    CONSTRAINT riverrun_executor_incarnation_length CHECK (char_length(incarnation) BETWEEN 1 AND 127),
    CONSTRAINT riverrun_executor_server_id_length CHECK (char_length(server_id) BETWEEN 1 AND 127),
    CONSTRAINT riverrun_executor_queue_length CHECK (char_length(queue) BETWEEN 1 AND 127),
    CONSTRAINT riverrun_executor_slots_is_not_negative CHECK (slots >= 0)
) WITH (fillfactor = 50);

COMMENT ON TABLE riverrun_executor IS 'Executor processes, each from one start to its end; its supervisor keeps lease_until in the future while it lives.';

CREATE TABLE riverrun_handler (
    kind text PRIMARY KEY,
    handler_name text NOT NULL,
    handler_type text NOT NULL,
    endpoint_url text,
    timeout_seconds double precision,
    retry_count int,
    description text NOT NULL DEFAULT '',
    settings jsonb NOT NULL DEFAULT '{}',
    paused_at timestamptz,
    revision bigint NOT NULL DEFAULT nextval('riverrun_revision_seq'),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT riverrun_handler_kind_length CHECK (char_length(kind) BETWEEN 1 AND 127),
    CONSTRAINT riverrun_handler_handler_name_length CHECK (char_length(handler_name) BETWEEN 1 AND 255),
    CONSTRAINT riverrun_handler_handler_type_is_known CHECK (handler_type IN ('local', 'http', 'grpc')),
    CONSTRAINT riverrun_handler_endpoint_url_length CHECK (char_length(endpoint_url) BETWEEN 1 AND 2048),
    CONSTRAINT riverrun_handler_timeout_seconds_in_range CHECK (timeout_seconds BETWEEN 0.1 AND 86400),
    CONSTRAINT riverrun_handler_retry_count_is_not_negative CHECK (retry_count >= 0),
    CONSTRAINT riverrun_handler_description_length CHECK (char_length(description) <= 4096),
    CONSTRAINT riverrun_handler_settings_is_object CHECK (jsonb_typeof(settings) = 'object')
);

COMMENT ON TABLE riverrun_handler IS 'Which handler runs the jobs of a kind, and how.';

CREATE TABLE riverrun_queue_setting (
    queue text NOT NULL,
    server_id text NOT NULL DEFAULT '',
    max_workers int NOT NULL,
    revision bigint NOT NULL DEFAULT nextval('riverrun_revision_seq'),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (queue, server_id),
    CONSTRAINT riverrun_queue_setting_queue_length CHECK (char_length(queue) BETWEEN 1 AND 127),
    CONSTRAINT riverrun_queue_setting_server_id_length CHECK (char_length(server_id) <= 127),
    CONSTRAINT riverrun_queue_setting_max_workers_in_range CHECK (max_workers BETWEEN 1 AND 10000)
);

COMMENT ON TABLE riverrun_queue_setting IS 'Slots of a queue set while the fleet runs; they win over the configuration. An empty server_id means every server.';

CREATE TABLE riverrun_schedule (
    name text PRIMARY KEY,
    kind text NOT NULL,
    args jsonb NOT NULL DEFAULT '{}',
    expression text NOT NULL,
    timezone text NOT NULL DEFAULT 'UTC',
    queue text NOT NULL,
    priority smallint,
    max_attempts smallint,
    tags varchar(255)[] NOT NULL DEFAULT '{}',
    metadata jsonb NOT NULL DEFAULT '{}',
    missed text NOT NULL DEFAULT 'latest',
    source text NOT NULL,
    paused_at timestamptz,
    last_tick timestamptz,
    revision bigint NOT NULL DEFAULT nextval('riverrun_revision_seq'),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT riverrun_schedule_name_length CHECK (char_length(name) BETWEEN 1 AND 127),
    CONSTRAINT riverrun_schedule_kind_length CHECK (char_length(kind) BETWEEN 1 AND 127),
    CONSTRAINT riverrun_schedule_expression_length CHECK (char_length(expression) BETWEEN 1 AND 255),
    CONSTRAINT riverrun_schedule_timezone_length CHECK (char_length(timezone) BETWEEN 1 AND 127),
    CONSTRAINT riverrun_schedule_queue_length CHECK (char_length(queue) BETWEEN 1 AND 127),
    CONSTRAINT riverrun_schedule_priority_in_range CHECK (priority BETWEEN 1 AND 9),
    CONSTRAINT riverrun_schedule_max_attempts_is_positive CHECK (max_attempts > 0),
    CONSTRAINT riverrun_schedule_metadata_is_object CHECK (jsonb_typeof(metadata) = 'object'),
    CONSTRAINT riverrun_schedule_missed_is_known CHECK (missed IN ('latest', 'skip', 'all')),
    CONSTRAINT riverrun_schedule_source_is_known CHECK (source IN ('config', 'api'))
);

COMMENT ON TABLE riverrun_schedule IS 'Cron and interval entries that enqueue jobs; missed says what happens to ticks that nobody was there for.';

-- No foreign key to river_job: finished jobs are deleted by any River client, and the tick must outlive them.
CREATE TABLE riverrun_schedule_tick (
    schedule text NOT NULL,
    tick timestamptz NOT NULL,
    job_id bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (schedule, tick),
    CONSTRAINT riverrun_schedule_tick_schedule_length CHECK (char_length(schedule) BETWEEN 1 AND 127)
);

COMMENT ON TABLE riverrun_schedule_tick IS 'Ticks that were enqueued; the primary key makes it once per tick, whoever leads.';

CREATE TABLE riverrun_minute (
    minute timestamptz NOT NULL,
    queue text NOT NULL,
    kind text NOT NULL,
    completed int NOT NULL DEFAULT 0,
    retried int NOT NULL DEFAULT 0,
    snoozed int NOT NULL DEFAULT 0,
    discarded int NOT NULL DEFAULT 0,
    cancelled int NOT NULL DEFAULT 0,
    interrupted int NOT NULL DEFAULT 0,
    rescued int NOT NULL DEFAULT 0,
    run_seconds double precision NOT NULL DEFAULT 0,
    wait_seconds double precision NOT NULL DEFAULT 0,
    run_buckets int[] NOT NULL DEFAULT '{}',
    wait_buckets int[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (minute, queue, kind),
    CONSTRAINT riverrun_minute_queue_length CHECK (char_length(queue) BETWEEN 1 AND 127),
    CONSTRAINT riverrun_minute_kind_length CHECK (char_length(kind) BETWEEN 1 AND 127)
);

COMMENT ON TABLE riverrun_minute IS 'How attempts ended, how long they ran and waited: one row for each minute, queue and kind.';

CREATE TABLE riverrun_idempotency_key (
    token text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    status smallint,
    response text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (token, key),
    CONSTRAINT riverrun_idempotency_key_token_length CHECK (char_length(token) <= 127),
    CONSTRAINT riverrun_idempotency_key_key_length CHECK (char_length(key) BETWEEN 1 AND 255),
    CONSTRAINT riverrun_idempotency_key_request_hash_length CHECK (octet_length(request_hash) BETWEEN 1 AND 64)
);

CREATE INDEX riverrun_idempotency_key_created_at_index ON riverrun_idempotency_key (created_at);

COMMENT ON TABLE riverrun_idempotency_key IS 'Answers to requests that carried an idempotency key, so that a repeated request gets the first answer; no status while the first still runs.';
