"""Enqueue jobs from plain Python, from asyncio, and within a transaction of your own.

python examples/enqueue.py
"""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta

import psycopg

from riverrun import AsyncClient, Client, Unique


def from_plain_python() -> None:
    """Enqueue one job now and one for later."""
    with Client() as client:
        now = client.enqueue("email", {"to": "ada@example.com", "subject": "Hello"}, priority=2)
        later = client.enqueue("email", {"to": "ada@example.com", "subject": "Still there?"}, delay=timedelta(hours=1))
        print(f"job {now.job.id} is {now.job.state}, job {later.job.id} is {later.job.state}")


async def from_asyncio() -> None:
    """Enqueue many jobs at once, and one only if there is none like it."""
    async with AsyncClient() as client:
        people = ["ada@example.com", "grace@example.com", "edsger@example.com"]
        results = await client.enqueue_many([{"kind": "email", "args": {"to": person}} for person in people])
        print(f"enqueued {len(results)} jobs together")

        for _ in range(2):
            once = await client.enqueue("email", {"to": "everybody@example.com"}, unique=Unique(by_args=True))
            print(f"job {once.job.id} was there before: {once.duplicate}")


def within_your_transaction(database_url: str) -> None:
    """Store an order and enqueue its e-mail together: either both are there in the end, or neither."""
    with psycopg.connect(database_url) as conn, Client(database_url) as client:
        conn.execute("CREATE TEMPORARY TABLE example_order (id int, customer text)")
        conn.commit()

        conn.execute("INSERT INTO example_order VALUES (1, 'ada@example.com')")
        kept = client.enqueue("email", {"to": "ada@example.com", "subject": "Order 1"}, conn=conn)
        conn.commit()

        conn.execute("INSERT INTO example_order VALUES (2, 'grace@example.com')")
        client.enqueue("email", {"to": "grace@example.com", "subject": "Order 2"}, conn=conn)
        conn.rollback()
        print(f"order 1 has job {kept.job.id}; order 2 and its job never were")


if __name__ == "__main__":
    from_plain_python()
    asyncio.run(from_asyncio())
    if url := os.environ.get("DATABASE_URL"):
        within_your_transaction(url)
