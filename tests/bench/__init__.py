"""Compares Riverrun with other job queues on one PostgreSQL server in one run; ``make bench`` starts it."""
