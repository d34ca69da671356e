"""Whether the client is still there: a question whose client has left is cancelled, its samples with it."""

import asyncio
from typing import TypeVar

from starlette.requests import Request

__all__ = ["ClientLeftError", "while_present"]

T = TypeVar("T")


class ClientLeftError(Exception):
    """The client closed its connection before the answer."""


async def while_present(request: Request, task: "asyncio.Task[T]") -> T:
    """Return a task's result; cancel the task and wait for its end if the client leaves or this call is cancelled.

    Args:
        request: The client's request, whose body has been read.
        task: The work.

    Raises:
        ClientLeftError: The client left.
    """
    departure = asyncio.create_task(_departure(request))
    try:
        await asyncio.wait({task, departure}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientLeftError
        return task.result()
    finally:
        departure.cancel()
        task.cancel()
        await asyncio.wait({task, departure})


async def _departure(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
