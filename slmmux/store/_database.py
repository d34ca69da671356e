"""One connection to PostgreSQL or SQLite: transactions that are repeated until the database is there again.

Nothing here knows what is stored. A statement is written once, with `?` for its values.
"""

import contextlib
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from slmmux._errors import ArgumentError

__all__ = ["Database", "Execute", "StoreFault", "opened", "shown_url"]

T = TypeVar("T")
_LONGEST_PAUSE_S = 5.0
_LONGEST_IDLE_S = 10.0  # of a transaction in PostgreSQL, whose locks would hold up all other workers
_PASSWORD = re.compile(r"(?<=:)[^:/?#@]+(?=@)|(?<=[?&]password=)[^&]+")


class StoreFault(Exception):  # noqa: N818 - an inner signal, turned into an error or another try
    """The database cannot be reached, or broke off; the transaction may be tried again."""


class Execute(Protocol):
    """Runs a statement of a transaction, and returns its rows."""

    def __call__(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement."""
        ...


class _Engine(Protocol):
    now: str  # the seconds since 1970 by the database's own clock, so that workers' clocks do not matter
    skip_locked: str
    exists: bool

    def connect(self) -> None: ...
    def close(self) -> None: ...
    def transaction(self) -> contextlib.AbstractContextManager[Execute]: ...
    def cursor(self, statement: str, size: int) -> Iterator[list[tuple[Any, ...]]]: ...


class Database:
    """A database, shared by the threads of one process.

    Args:
        engine: The kind of database.
        patience: The seconds for which a database that is away is waited for.

    Attributes:
        now: The database's clock, as a piece of a statement.
        skip_locked: The end of a selection that passes over rows that others are taking.
    """

    def __init__(self, engine: _Engine, patience: float) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._patience = patience
        self._connected = False
        self.now: str = engine.now
        self.skip_locked: str = engine.skip_locked

    @property
    def exists(self) -> bool:
        """Whether there is a database, as far as that is known without connecting, which would make a file."""
        return self._engine.exists

    def run(self, work: Callable[[Execute], T], patience: float | None = None) -> T:
        """Run a transaction, again if the database broke off: so `work` has to be harmless when it is repeated.

        Args:
            work: Runs the statements.
            patience: The seconds for which the database is waited for, if not those of all transactions.

        Raises:
            ArgumentError: The database stayed away longer than the patience.
        """
        patience = self._patience if patience is None else patience
        begin = time.monotonic()
        pause = 0.1
        while True:
            try:
                with self._lock:
                    self._connect()
                    with self._engine.transaction() as execute:
                        return work(execute)
            except StoreFault as fault:
                with self._lock:
                    self._forget()
                if time.monotonic() - begin >= patience:
                    raise ArgumentError(
                        f"the store cannot be reached: {fault}; start the database, and run the same command again"
                    ) from None
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)

    def pieces(self, statement: str, size: int) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of a selection in pieces, as one consistent view of the database."""
        with self._lock:
            try:
                self._connect()
                yield from self._engine.cursor(statement, size)
            except StoreFault as fault:
                self._forget()
                raise ArgumentError(f"the store broke off: {fault}; run the same command again") from None

    def _connect(self) -> None:
        if not self._connected:
            self._engine.connect()
            self._connected = True

    def _forget(self) -> None:
        self._connected = False
        with contextlib.suppress(Exception):
            self._engine.close()

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._forget()


def shown_url(url: str) -> str:
    """Return a store's address without its password.

    Example:
        >>> shown_url("postgresql://me:secret@host/db")
        'postgresql://me:***@host/db'
    """
    return _PASSWORD.sub("***", url)


def opened(url: str, patience: float) -> Database:
    """Return the database at an address; it is connected to when it is first used.

    Args:
        url: "postgresql://...", "sqlite:///FILE", or a file's name that ends with .db or .sqlite.
        patience: As for `Database`.

    Raises:
        ArgumentError: The address is of another kind, or psycopg is not installed.
    """
    if url.startswith(("postgresql://", "postgres://")):
        return Database(_Postgres(url), patience)
    path = url.removeprefix("sqlite:///")
    if url.startswith("sqlite:///") or path.endswith((".db", ".sqlite", ".sqlite3")):
        return Database(_SQLite(Path(path)), patience)
    raise ArgumentError(
        f"a store is postgresql://USER@HOST/NAME or a SQLite file, received {shown_url(url)!r}; write store.db for "
        "several processes of this machine"
    )


class _SQLite:
    now = "((julianday('now') - 2440587.5) * 86400.0)"
    skip_locked = ""  # one transaction writes at a time

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    @property
    def exists(self) -> bool:
        return self._path.exists()

    def connect(self) -> None:
        try:
            self._connection = sqlite3.connect(self._path, timeout=30.0, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
        except sqlite3.OperationalError as error:
            raise self._fault(error) from None
        except sqlite3.DatabaseError as error:
            self.close()
            raise ArgumentError(f"{self._path} is no SQLite database ({error}); name another file") from None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Execute]:
        connection = self._connection
        assert connection is not None  # noqa: S101 - Database connects first
        try:
            connection.execute("BEGIN IMMEDIATE")  # at once: a later upgrade to writing could fail half-way
            try:
                yield lambda statement, values=(): connection.execute(statement, values).fetchall()
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                raise
            raise self._fault(error) from None

    def _fault(self, error: sqlite3.OperationalError) -> Exception:
        """Return what an error means: a lock ends by itself, a file that cannot be opened or written does not."""
        if "unable to open" in str(error):
            return ArgumentError(f"{self._path} cannot be opened as a file; name one in a folder that exists")
        if "readonly" in str(error):
            return ArgumentError(f"{self._path} cannot be written; change its permissions, or name another file")
        return StoreFault(f"{self._path}: {error}")

    def cursor(self, statement: str, size: int) -> Iterator[list[tuple[Any, ...]]]:
        assert self._connection is not None  # noqa: S101 - Database connects first
        try:
            cursor = self._connection.execute(statement)
            while rows := cursor.fetchmany(size):
                yield rows
        except sqlite3.OperationalError as error:
            raise StoreFault(f"{self._path}: {error}") from None


class _Postgres:
    now = "extract(epoch from clock_timestamp())::double precision"
    skip_locked = " FOR UPDATE SKIP LOCKED"
    exists = True

    def __init__(self, url: str) -> None:
        try:
            import psycopg  # noqa: PLC0415 - an extra
        except ImportError:
            raise ArgumentError('a store in PostgreSQL needs psycopg: pip install "slmmux[postgres]"') from None
        self._psycopg = psycopg
        self._url = url
        self._connection: Any = None
        self._faults = (
            psycopg.OperationalError,
            psycopg.InterfaceError,
            psycopg.errors.IdleInTransactionSessionTimeout,
        )

    def connect(self) -> None:
        psycopg = self._psycopg
        try:
            self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=10)
            # The server ends the session of a worker that is frozen, or cut off, in the middle of a transaction.
            self._connection.execute(f"SET idle_in_transaction_session_timeout = {round(1000 * _LONGEST_IDLE_S)}")
        except psycopg.OperationalError as error:
            reason = " ".join(str(error).split())
            # A name that was found once and then is not is a fault of the network, which is waited out.
            is_unknown = self._connection is None and "failed to resolve host" in reason
            if is_unknown or "authentication failed" in reason or "does not exist" in reason:
                raise ArgumentError(f"{shown_url(self._url)}: {reason}; check the address") from None
            raise StoreFault(f"{shown_url(self._url)}: {reason}") from None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Execute]:
        connection = self._connection
        try:
            with connection.transaction(), connection.cursor() as cursor:

                def execute(statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
                    cursor.execute(statement.replace("?", "%s"), values)
                    return list(cursor.fetchall()) if cursor.description else []

                yield execute
        except self._faults as error:
            raise StoreFault(" ".join(str(error).split())) from None

    def cursor(self, statement: str, size: int) -> Iterator[list[tuple[Any, ...]]]:
        try:
            # A cursor of the server's: the samples of a campaign may be more than this machine's memory.
            with self._connection.transaction(), self._connection.cursor(name="pull") as cursor:
                # It only reads, and waits while its rows are written to a file.
                self._connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
                cursor.execute(statement)
                while rows := cursor.fetchmany(size):
                    yield rows
        except self._faults as error:
            raise StoreFault(" ".join(str(error).split())) from None
