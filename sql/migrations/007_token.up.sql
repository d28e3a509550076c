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
