-- River's tables and Riverrun's own, for an empty database:
--
--     psql -d river_queue -f init-river-postgresql.sql
--
-- The same schema as `queuectl migrate up` makes, which afterwards finds nothing to do. Where one of the tables
-- exists already, it stops at the first statement and changes nothing; use `queuectl migrate up` there.
-- Written by `queuectl migrate sql` from sql/migrations; change those, not this.
\set ON_ERROR_STOP on
BEGIN;

-- river
-- River's own tables, at version 8 of its line "main", for a database that has none of them.
--   One step where River takes eight: the result is the same, name by name, so that every River client,
--   its migrator and its user interface find what they expect.
--   locks: new objects only
CREATE TABLE river_migration (
    line text NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT line_length CHECK (char_length(line) > 0 AND char_length(line) < 128),
    CONSTRAINT version_gte_1 CHECK (version >= 1),
    PRIMARY KEY (line, version)
);

CREATE TYPE river_job_state AS ENUM (
    'available', 'cancelled', 'completed', 'discarded', 'pending', 'retryable', 'running', 'scheduled'
);

CREATE TABLE river_job (
    id bigserial PRIMARY KEY,
    state river_job_state NOT NULL DEFAULT 'available',
    attempt smallint NOT NULL DEFAULT 0,
    max_attempts smallint NOT NULL DEFAULT 25,
    attempted_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    finalized_at timestamptz,
    scheduled_at timestamptz NOT NULL DEFAULT now(),
    priority smallint NOT NULL DEFAULT 1,
    args jsonb NOT NULL,
    attempted_by text[],
    errors jsonb[],
    kind text NOT NULL,
    metadata jsonb NOT NULL DEFAULT '{}',
    queue text NOT NULL DEFAULT 'default',
    tags varchar(255)[] NOT NULL DEFAULT '{}',
    unique_key bytea,
    unique_states bit(8),
    CONSTRAINT finalized_or_finalized_at_null CHECK (
        (finalized_at IS NULL AND state NOT IN ('cancelled', 'completed', 'discarded'))
        OR (finalized_at IS NOT NULL AND state IN ('cancelled', 'completed', 'discarded'))
    ),
    CONSTRAINT max_attempts_is_positive CHECK (max_attempts > 0),
    CONSTRAINT priority_in_range CHECK (priority >= 1 AND priority <= 4),
    CONSTRAINT queue_length CHECK (char_length(queue) > 0 AND char_length(queue) < 128),
    CONSTRAINT kind_length CHECK (char_length(kind) > 0 AND char_length(kind) < 128)
);

-- The leftmost bit of the mask is number 0. A state or mask that is not known counts as not contained.
CREATE FUNCTION river_job_state_in_bitmask(bitmask bit(8), state river_job_state)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
AS $$
    SELECT coalesce(
        get_bit(
            bitmask,
            CASE state
                WHEN 'scheduled' THEN 0
                WHEN 'running' THEN 1
                WHEN 'retryable' THEN 2
                WHEN 'pending' THEN 3
                WHEN 'discarded' THEN 4
                WHEN 'completed' THEN 5
                WHEN 'cancelled' THEN 6
                WHEN 'available' THEN 7
            END
        ) = 1,
        false
    )
$$;

CREATE INDEX river_job_kind ON river_job (kind);
CREATE INDEX river_job_state_and_finalized_at_index ON river_job (state, finalized_at) WHERE finalized_at IS NOT NULL;
CREATE INDEX river_job_prioritized_fetching_index ON river_job (state, queue, priority, scheduled_at, id);
CREATE INDEX river_job_args_index ON river_job USING gin (args);
CREATE INDEX river_job_metadata_index ON river_job USING gin (metadata);
CREATE UNIQUE INDEX river_job_unique_idx ON river_job (unique_key)
WHERE unique_key IS NOT NULL AND unique_states IS NOT NULL AND river_job_state_in_bitmask(unique_states, state);

CREATE TABLE river_queue (
    name text PRIMARY KEY NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    metadata jsonb NOT NULL DEFAULT '{}',
    paused_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);

-- Unlogged: whoever leads renews its row every few seconds, and an empty table after a crash only means an election.
CREATE UNLOGGED TABLE river_leader (
    elected_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    leader_id text NOT NULL,
    name text PRIMARY KEY DEFAULT 'default',
    CONSTRAINT leader_id_length CHECK (char_length(leader_id) > 0 AND char_length(leader_id) < 128),
    CONSTRAINT name_length CHECK (name = 'default')
);

-- River's outbox for databases without NOTIFY; on PostgreSQL it stays empty.
CREATE TABLE river_notification (
    id bigserial PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    payload text NOT NULL,
    topic text NOT NULL,
    CONSTRAINT topic_length CHECK (char_length(topic) > 0 AND char_length(topic) < 128)
);

CREATE INDEX river_notification_created_at_idx ON river_notification (created_at);
CREATE INDEX river_notification_topic_id_idx ON river_notification (topic, id);

INSERT INTO river_migration (line, version) SELECT 'main', generate_series(1, 8);

-- history
-- Where Riverrun keeps which of its own migrations have run; River's history table is never written to.
--   locks: a new object only
CREATE TABLE IF NOT EXISTS riverrun_migration (
    version int PRIMARY KEY,
    name text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT riverrun_migration_version_is_positive CHECK (version > 0)
);

COMMENT ON TABLE riverrun_migration IS 'Riverrun''s own migrations that have run; the highest version is the schema''s.';

-- 001_priority_to_9
-- Let a job have a priority of 1 (first) to 9; River's clients use 1 to 4.
ALTER TABLE river_job
DROP CONSTRAINT IF EXISTS priority_in_range,
ADD CONSTRAINT priority_in_range CHECK (priority >= 1 AND priority <= 9) NOT VALID;

ALTER TABLE river_job VALIDATE CONSTRAINT priority_in_range;

INSERT INTO riverrun_migration (version, name) VALUES (1, '001_priority_to_9');

-- 002_own_tables
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

INSERT INTO riverrun_migration (version, name) VALUES (2, '002_own_tables');

-- 003_job_live_index
-- What claims, rescues and every look at unfinished jobs read: those of one state and queue, best first.
--   A job that ends leaves this index, so it stays as small as the work that is left, however long the history.
CREATE INDEX riverrun_job_live_index
ON river_job (state, queue, priority, scheduled_at, id)
WHERE state IN ('available', 'pending', 'retryable', 'running', 'scheduled');

INSERT INTO riverrun_migration (version, name) VALUES (3, '003_job_live_index');

-- 004_job_due_index
-- What promotion reads: the jobs that wait for their time, earliest first.
CREATE INDEX riverrun_job_due_index
ON river_job (scheduled_at, id)
WHERE state IN ('retryable', 'scheduled');

INSERT INTO riverrun_migration (version, name) VALUES (4, '004_job_due_index');

-- 005_job_autovacuum
-- Vacuum and analyze jobs early, at full speed, and their indexes always.
--   Each job leaves two or three dead rows, each of them in every index, and claims step over them until they
--   are vacuumed. PostgreSQL's default waits for a fifth of the table: with a long history, for hours.
--   A small share, not a fixed number: each vacuum reads the indexes whole.
--   locks: SHARE UPDATE EXCLUSIVE on river_job for an instant
ALTER TABLE river_job SET (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.02,
    autovacuum_analyze_threshold = 1000,
    vacuum_index_cleanup = on
);

INSERT INTO riverrun_migration (version, name) VALUES (5, '005_job_autovacuum');

-- 006_lean_job_indexes
-- Drop those of River's indexes on river_job that no claim, run or end of a job reads.
--   Each of them is written three times for every job. riverrun_job_live_index serves what River's clients read
--   through the first; only searches by arguments, metadata or kind alone read the others.
DROP INDEX river_job_prioritized_fetching_index;

DROP INDEX river_job_kind;

DROP INDEX river_job_args_index;

DROP INDEX river_job_metadata_index;

INSERT INTO riverrun_migration (version, name) VALUES (6, '006_lean_job_indexes');

-- 007_token
-- Tokens of the HTTP API, and the sessions that browsers make from them.
--   locks: new objects only
CREATE TABLE riverrun_token (
    id text PRIMARY KEY,
    sha256 bytea NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    queues text[] NOT NULL DEFAULT '{}',
    parent text,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz,
    CONSTRAINT riverrun_token_id_length CHECK (char_length(id) BETWEEN 1 AND 64),
    CONSTRAINT riverrun_token_sha256_length CHECK (octet_length(sha256) = 32),
    CONSTRAINT riverrun_token_name_length CHECK (char_length(name) BETWEEN 1 AND 127),
    CONSTRAINT riverrun_token_role_is_known CHECK (role IN ('read', 'enqueue', 'operate', 'edit', 'admin')),
    CONSTRAINT riverrun_token_parent_length CHECK (char_length(parent) BETWEEN 1 AND 127),
    CONSTRAINT riverrun_token_created_by_length CHECK (char_length(created_by) BETWEEN 1 AND 255)
);

CREATE UNIQUE INDEX riverrun_token_sha256_index ON riverrun_token (sha256);
CREATE INDEX riverrun_token_parent_index ON riverrun_token (parent) WHERE parent IS NOT NULL;

COMMENT ON TABLE riverrun_token IS 'Who may use the HTTP API: the digest of each token, what it may do and where; one with a parent is the session of a browser.';

INSERT INTO riverrun_migration (version, name) VALUES (7, '007_token');

-- 008_audit
-- Who changed what through the API, the pages and the shell, as a chain of digests.
--   locks: new objects only
CREATE TABLE riverrun_audit (
    number bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    target text NOT NULL,
    entry text NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT riverrun_audit_number_is_positive CHECK (number > 0),
    CONSTRAINT riverrun_audit_hash_length CHECK (octet_length(hash) = 32)
);

CREATE INDEX riverrun_audit_at_index ON riverrun_audit (at);

COMMENT ON TABLE riverrun_audit IS 'One entry for each change that somebody made; hash is the SHA-256 of the hash before it and of the entry.';

-- The end of the chain, so that the newest entries cannot be cut off unseen; its row lock keeps entries in order.
CREATE TABLE riverrun_audit_head (
    name text PRIMARY KEY DEFAULT 'audit',
    number bigint NOT NULL DEFAULT 0,
    hash bytea NOT NULL,
    CONSTRAINT riverrun_audit_head_name_is_audit CHECK (name = 'audit'),
    CONSTRAINT riverrun_audit_head_hash_length CHECK (octet_length(hash) = 32)
) WITH (fillfactor = 50);

COMMENT ON TABLE riverrun_audit_head IS 'Number and hash of the newest entry of riverrun_audit.';

INSERT INTO riverrun_audit_head (number, hash) VALUES (0, sha256(''));

INSERT INTO riverrun_migration (version, name) VALUES (8, '008_audit');

-- 009_bulk
-- Operations on every job that a filter names, done in batches while they are watched.
--   locks: new objects only
CREATE TABLE riverrun_bulk (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    action text NOT NULL,
    params jsonb NOT NULL DEFAULT '{}',
    filter text NOT NULL,
    wanted jsonb NOT NULL,
    actor text NOT NULL,
    state text NOT NULL DEFAULT 'running',
    first_id bigint NOT NULL,
    last_id bigint NOT NULL,
    position bigint NOT NULL,
    matched bigint NOT NULL DEFAULT 0,
    changed bigint NOT NULL DEFAULT 0,
    error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    CONSTRAINT riverrun_bulk_action_is_known CHECK (
        action IN ('retry', 'run', 'cancel', 'delete', 'snooze', 'reprioritize', 'move')
    ),
    CONSTRAINT riverrun_bulk_state_is_known CHECK (state IN ('running', 'done', 'aborted', 'failed')),
    CONSTRAINT riverrun_bulk_finished_when_not_running CHECK ((state = 'running') = (finished_at IS NULL)),
    CONSTRAINT riverrun_bulk_params_is_object CHECK (jsonb_typeof(params) = 'object'),
    CONSTRAINT riverrun_bulk_wanted_is_object CHECK (jsonb_typeof(wanted) = 'object')
) WITH (fillfactor = 50);

CREATE INDEX riverrun_bulk_running_index ON riverrun_bulk (updated_at) WHERE state = 'running';

COMMENT ON TABLE riverrun_bulk IS 'One action on all jobs that a filter names, up to the newest one when it began; position is the id it has come to.';

INSERT INTO riverrun_migration (version, name) VALUES (9, '009_bulk');

-- 010_notice
-- What people were told, so that they are told once, whoever leads.
--   locks: new objects only
CREATE TABLE riverrun_notice (
    rule text NOT NULL,
    subject text NOT NULL,
    sent_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (rule, subject),
    CONSTRAINT riverrun_notice_rule_length CHECK (char_length(rule) BETWEEN 1 AND 127),
    CONSTRAINT riverrun_notice_subject_length CHECK (char_length(subject) BETWEEN 1 AND 255)
);

COMMENT ON TABLE riverrun_notice IS 'When a rule of the notifications last told somebody about a subject.';

INSERT INTO riverrun_migration (version, name) VALUES (10, '010_notice');

-- 011_remote_handlers
-- What calls of services need: a secret to sign them with, a key for their callbacks, and how the service is.
--   locks: ACCESS EXCLUSIVE on riverrun_handler, which has a row for each kind, while it is rewritten; new objects
ALTER TABLE riverrun_handler
    ADD COLUMN signing_secret text,
    ADD COLUMN previous_secret text,
    ADD COLUMN previous_until timestamptz,
    ADD COLUMN callback_key text NOT NULL DEFAULT gen_random_uuid()::text || gen_random_uuid()::text,
    ADD CONSTRAINT riverrun_handler_signing_secret_length CHECK (char_length(signing_secret) BETWEEN 32 AND 128),
    ADD CONSTRAINT riverrun_handler_previous_secret_length CHECK (char_length(previous_secret) BETWEEN 32 AND 128);

CREATE TABLE riverrun_handler_health (
    kind text PRIMARY KEY,
    breaker text NOT NULL DEFAULT 'closed',
    reason text NOT NULL DEFAULT '',
    failed_probes int NOT NULL DEFAULT 0,
    probe_at timestamptz,
    throttled_until timestamptz,
    misconfigured text NOT NULL DEFAULT '',
    changed_at timestamptz NOT NULL DEFAULT now(),
    revision bigint NOT NULL DEFAULT nextval('riverrun_revision_seq'),
    CONSTRAINT riverrun_handler_health_kind_length CHECK (char_length(kind) BETWEEN 1 AND 127),
    CONSTRAINT riverrun_handler_health_breaker_is_known CHECK (breaker IN ('closed', 'open', 'half_open')),
    CONSTRAINT riverrun_handler_health_an_open_breaker_is_probed CHECK ((breaker = 'closed') = (probe_at IS NULL)),
    CONSTRAINT riverrun_handler_health_reason_length CHECK (char_length(reason) <= 1000),
    CONSTRAINT riverrun_handler_health_misconfigured_length CHECK (char_length(misconfigured) <= 1000),
    CONSTRAINT riverrun_handler_health_failed_probes_is_not_negative CHECK (failed_probes >= 0)
);

COMMENT ON TABLE riverrun_handler_health IS 'How the service of a handler is, as executors found it; written when that changes, and no row means well.';

INSERT INTO riverrun_migration (version, name) VALUES (11, '011_remote_handlers');

-- 012_schedule_options
-- Let a schedule enqueue a job when a leader begins, and none while such a job is there.
--   locks: ACCESS EXCLUSIVE on riverrun_schedule for an instant
ALTER TABLE riverrun_schedule
ADD COLUMN IF NOT EXISTS run_on_start boolean NOT NULL DEFAULT false,
ADD COLUMN IF NOT EXISTS unique_by jsonb;

COMMENT ON COLUMN riverrun_schedule.unique_by IS 'What makes two jobs of it the same, as in the API; NULL: nothing does.';

INSERT INTO riverrun_migration (version, name) VALUES (12, '012_schedule_options');

-- 013_hour
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

INSERT INTO riverrun_migration (version, name) VALUES (13, '013_hour');

-- 014_queue_pause
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

INSERT INTO riverrun_migration (version, name) VALUES (14, '014_queue_pause');

-- 015_handler_args_schema
-- What the arguments of a kind look like, so that a form can be made for them.
--   locks: ACCESS EXCLUSIVE on riverrun_handler for an instant
ALTER TABLE riverrun_handler
ADD COLUMN IF NOT EXISTS args_schema jsonb;

COMMENT ON COLUMN riverrun_handler.args_schema IS 'JSON Schema of the arguments, as registered or as the signature of a local handler says; NULL: nobody has said.';

INSERT INTO riverrun_migration (version, name) VALUES (15, '015_handler_args_schema');

-- 016_recovery
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

INSERT INTO riverrun_migration (version, name) VALUES (16, '016_recovery');

COMMIT;
