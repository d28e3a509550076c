"""Riverrun: a job queue daemon for PostgreSQL on River's own tables."""

__version__ = "0.1.0"
