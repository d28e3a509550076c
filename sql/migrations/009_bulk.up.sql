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
