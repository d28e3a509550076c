"""How many jobs a claim asks for, and how long its answer is waited for: learnt from the answers before.

A connection that stays silent has to be given up soon. But over a slow network a full claim of large jobs takes longer
than that, and would be lost and asked for again for ever. So a claim that failed is followed by a smaller one, and a
single job that does not arrive is given more time.
"""

from __future__ import annotations

MAX_CLAIM = 300
"""Jobs of one claim: more are no faster and delay the first of them."""

ANSWER_SECONDS = 3.6
"""The server itself gives a claim up after 3 s; a connection that is silent for longer is taken for dead."""

MOST_SECONDS = 60.0
"""What a single job of 1 MiB takes at 140 kbit/s."""


class Pace:
    """The size of the next claim.

    Attributes:
        jobs: How many to ask for at the most.
        seconds: How long to wait for them.
    """

    def __init__(self) -> None:
        self.jobs = MAX_CLAIM
        self.seconds = ANSWER_SECONDS

    def failed(self, seconds: float) -> None:
        """Learn that a claim failed after so many ``seconds``; one that failed at once was refused, not too slow."""
        if seconds < ANSWER_SECONDS / 2:
            return
        if self.jobs == 1:
            self.seconds = min(MOST_SECONDS, 2 * self.seconds)
        self.jobs = max(1, self.jobs // 4)

    def arrived(self, jobs: int, seconds: float) -> None:
        """Learn that so many jobs came after so many ``seconds``.

        As many as were to come, and in good time: the next claim may be larger. Fewer say nothing about the network.
        """
        if jobs >= self.jobs and seconds < ANSWER_SECONDS / 4:
            self.jobs = min(MAX_CLAIM, 2 * self.jobs)
            self.seconds = ANSWER_SECONDS
