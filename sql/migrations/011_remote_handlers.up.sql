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
