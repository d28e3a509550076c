"""Faults, injected for real into real daemons, and judged by a history that no fault touches."""
