"""The state of a server: one SQLite file with keys, feedback, comments and the secret that marks its answers."""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...core.errors import DamagedArtifact
from ...core.files import explained

FILE = "state.sqlite"
SCHEMA = """
create table if not exists secret (value blob not null);
create table if not exists keys (
  prefix text primary key, name text not null, digest blob not null, scopes text not null,
  created real not null, expires real, revoked real);
create table if not exists feedback (
  answer text primary key, moment real not null, label text not null, correct integer not null,
  right_label text not null, comment text not null);
create table if not exists comments (
  number integer primary key, moment real not null, kind text not null, answer text not null,
  name text not null, text text not null);
"""


def state_folder(release: Path) -> Path:
    """Return where the state of a release lies unless told otherwise: beside it."""
    return release.resolve().with_name(release.resolve().name + ".served")


class Store:
    """Owns one connection to the state file."""

    def __init__(self, folder: Path) -> None:
        with explained(folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / FILE
        self.folder, self._lock = folder, threading.Lock()
        try:
            with explained(path):
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._connection = sqlite3.connect(path, timeout=5, check_same_thread=False, isolation_level=None)
            self._connection.execute("pragma journal_mode=wal")
            self._connection.executescript(SCHEMA)
            with self.writing() as connection:
                if connection.execute("select count(*) from secret").fetchone()[0] == 0:
                    connection.execute("insert into secret values (?)", (secrets.token_bytes(32),))
            self.secret = bytes(self._connection.execute("select value from secret").fetchone()[0])
        except sqlite3.DatabaseError as error:
            raise DamagedArtifact(
                f"the state of the server cannot be read: {error}",
                where=path,
                expected="the SQLite file that `modelwright serve` made",
                next_step="move it away; keys and feedback in it are then gone",
            ) from None

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give the connection for one transaction, which is on the disk when the block ends."""
        with self._lock:
            self._connection.execute("begin immediate")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("rollback")
                raise
            self._connection.execute("commit")

    def read(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """Return the rows of a query."""
        with self._lock:
            return self._connection.execute(query, values).fetchall()

    def version(self) -> int:
        """Return a number that changes when another process has written."""
        return int(str(self.read("pragma data_version")[0][0]))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
