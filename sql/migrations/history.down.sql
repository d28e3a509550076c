-- Forget Riverrun's own history, after its last migration was undone.
--   locks: ACCESS EXCLUSIVE on riverrun_migration
DROP TABLE IF EXISTS riverrun_migration;
