"""A message on its way from the call that decided it to the stream that yields it, while the call's run is open."""

import asyncio

from langchain_core.messages import AIMessage

__all__ = ["Handover"]


class Handover:
    """One message, given once and waited for until it is taken."""

    def __init__(self) -> None:
        self._message: asyncio.Future[AIMessage] = asyncio.get_running_loop().create_future()
        self.delivery = asyncio.Event()

    @property
    def has_message(self) -> bool:
        """Whether there is a message to take."""
        return self._message.done()

    async def give(self, message: AIMessage) -> None:
        """Hand the message over and wait until the consumer of the stream has it."""
        if not self.has_message:
            self._message.set_result(message)
            await self.delivery.wait()

    async def message(self, invocation: "asyncio.Future[AIMessage]") -> AIMessage | None:
        """Return the message, or `None` when the call ended without giving one."""
        await asyncio.wait([self._message, invocation], return_when=asyncio.FIRST_COMPLETED)
        return self._message.result() if self.has_message else None
