"""Programs that play the roles in tests of the supervisor: small, real processes on the real ground."""
