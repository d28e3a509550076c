"""The HTTP API, one file a subject; each lists its routes at its end."""
