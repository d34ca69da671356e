"""What a forked process renews: locks, pools and workers belong to threads and processes of its parent alone.

A lock that another thread holds at the moment of a fork stays held in the child for ever, and a thread's queue has
nobody who works it off. So whoever owns such a thing has a method `_renew`, which the child calls before anything else
runs there.
"""

import os
import threading
from typing import Protocol
from weakref import WeakSet

__all__ = ["Renewable", "renew_in_fork", "unforked"]

# Held where a process is started and noted: no fork happens in between.
unforked = threading.Lock()


class Renewable(Protocol):
    """The owner of something that does not survive a fork."""

    def _renew(self) -> None:
        """Put a new one in the place of everything that only the parent can use, without waiting for anything."""
        ...


_owners: "WeakSet[Renewable]" = WeakSet()


def renew_in_fork(owner: Renewable) -> None:
    """Have something renewed in every process that is forked from this one."""
    _owners.add(owner)


def _renew_all() -> None:
    unforked.release()  # the thread that forked took it before, and is the only one here
    for owner in list(_owners):
        owner._renew()  # noqa: SLF001 - its only caller


if hasattr(os, "register_at_fork"):  # pragma: no branch - not on Windows
    os.register_at_fork(before=unforked.acquire, after_in_parent=unforked.release, after_in_child=_renew_all)
