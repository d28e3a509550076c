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
