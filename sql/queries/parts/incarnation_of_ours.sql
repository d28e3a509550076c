-- incarnation_of_ours.sql
-- Part of statements that tell executors of ours from River's clients: what the names of ours match, server_pid_chance.
-- River's client for Rust puts chance at the end as well, but behind the time of its start.
'^(?!.*_[0-9]{2}T[0-9]{2}_[0-9]{2}_[0-9]{2}_[0-9]{6}_[0-9a-f]{8}$)[A-Za-z0-9._-]+_[0-9]+_[0-9a-f]{8}$'
