"""``queuectl doctor``: what is wrong, what it means, and what mends it."""
