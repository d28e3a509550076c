-- Where Riverrun keeps which of its own migrations have run; River's history table is never written to.
--   locks: a new object only
CREATE TABLE IF NOT EXISTS riverrun_migration (
    version int PRIMARY KEY,
    name text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT riverrun_migration_version_is_positive CHECK (version > 0)
);

COMMENT ON TABLE riverrun_migration IS 'Riverrun''s own migrations that have run; the highest version is the schema''s.';
