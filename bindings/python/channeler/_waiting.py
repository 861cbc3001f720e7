"""What tasks wait with for something that others see happen."""

from __future__ import annotations

import asyncio


async def wait(waiters: set[asyncio.Future[None]]) -> None:
    """Until something happened, which may be nothing for us."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiters.add(future)
    try:
        await future
    finally:
        waiters.discard(future)


def wake(waiters: set[asyncio.Future[None]]) -> None:
    for waiter in list(waiters):
        if not waiter.done():
            waiter.set_result(None)
