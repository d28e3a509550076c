"""``queuectl bench``: how fast this database and this host run jobs."""
