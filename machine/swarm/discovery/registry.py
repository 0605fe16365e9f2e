"""Tokens and the addresses registered under them, in one SQLite file. What the token service and the store use.

An entry lives for its ttl; with ttl 0 (an entry made on a node's behalf, which has no heartbeat) until it is removed.
Every call opens the file anew, so that it may be called from any thread and by several programs at once.
"""

from __future__ import annotations

import os
import re
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from machine.errors import reason_of
from machine.swarm import limits
from machine.swarm.discovery.fetch import DiscoveryError
from machine.swarm.discovery.ranges import address as checked

TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
MOST_CLUSTERS = limits.TOKEN_CLUSTERS
MOST_ENTRIES = limits.TOKEN_ENTRIES  # in one cluster
MAX_ENTRY_TTL = 30 * 86400  # seconds
IDLE = limits.TOKEN_IDLE_SECONDS
WAIT = 10.0  # seconds for another program's write to end

_SCHEMA = """
CREATE TABLE IF NOT EXISTS cluster (token TEXT PRIMARY KEY, used REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entry (
    token TEXT NOT NULL REFERENCES cluster(token) ON DELETE CASCADE,
    address TEXT NOT NULL, until REAL NOT NULL, PRIMARY KEY (token, address)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS maker (
    token TEXT PRIMARY KEY REFERENCES cluster(token) ON DELETE CASCADE,
    address TEXT NOT NULL, unused REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS maker_address ON maker (address, unused);
CREATE INDEX IF NOT EXISTS maker_unused ON maker (unused);
"""


class UnknownToken(DiscoveryError):
    """Nobody made this token here."""


class Full(DiscoveryError):
    """A limit is reached."""


class TooMany(DiscoveryError):
    """One client asked for too many tokens."""


class Registry:
    """The file at `path`, made 0600 with its directory (0700) on the first write. `now` gives seconds since 1970."""

    def __init__(self, path: str, *, now: Callable[[], float] = time.time) -> None:
        self.path = path
        self._now = now

    def create(self, client: str = "") -> str:
        """A new token: 128 random bits in hexadecimal. Raises Full if there are too many tokens.

        Raises TooMany if it is too many for `client`.

        `client` is the address of a client on the network. What a client makes and does not use ends soon; what is
        made on this computer, "", waits for its use.
        """
        token = secrets.token_hex(16)
        with self._open() as db:
            if client:
                self._forget_unused(db)
                self._check_quota(db, client)
            self._add(db, token)
            if client:
                db.execute("INSERT INTO maker VALUES (?, ?, ?)", (token, client, self._now()))
        return token

    def add_token(self, token: str) -> None:
        """Add a token that somebody else made, if it is not there. Raises UnknownToken if it cannot be one.

        Raises Full if there are too many.
        """
        with self._open() as db:
            self._add(db, token, reuse=True)

    def has_token(self, token: str) -> bool:
        """Whether the token was made or taken here; no file is made for the question.

        Raises DiscoveryError if the file cannot be read.
        """
        if not os.path.exists(self.path):
            return False
        with self._open("DEFERRED") as db:
            return db.execute("SELECT 1 FROM cluster WHERE token = ?", (token,)).fetchone() is not None

    def nodes(self, token: str) -> list[str]:
        """The addresses whose time is not over, in alphabetic order.

        Raises UnknownToken if the token is not known here.
        """
        with self._open("DEFERRED") as db:
            self._check_token(db, token)
            rows = db.execute(
                "SELECT address FROM entry WHERE token = ? AND (until = 0 OR until > ?) ORDER BY address",
                (token, self._now()),
            )
            addresses = [row[0] for row in rows]
            half = self._now() - limits.TOKEN_UNUSED_SECONDS / 2
            waits = db.execute(
                "SELECT 1 FROM maker WHERE token = ? AND unused BETWEEN 1 AND ?", (token, half)
            ).fetchone()
        if waits:  # somebody looks whether it is used: it is not forgotten meanwhile
            with self._open() as db:
                db.execute("UPDATE maker SET unused = ? WHERE token = ? AND unused > 0", (self._now(), token))
        return addresses

    def register(self, token: str, address: str, ttl: int = 0, *, create: bool = False) -> None:
        """Register an address for `ttl` seconds (0: for ever).

        Raises UnknownToken for a new token unless `create`, Full if it has too many entries, DiscoveryError for another
        ttl.
        """
        address = checked(address)
        if not 0 <= ttl <= MAX_ENTRY_TTL:
            raise DiscoveryError(f"a ttl of {ttl} seconds is not between 1 and {MAX_ENTRY_TTL}")
        now = self._now()
        with self._open() as db:
            if create:
                self._add(db, token, reuse=True)
            else:
                self._check_token(db, token)
            db.execute("DELETE FROM entry WHERE token = ? AND until > 0 AND until <= ?", (token, now))
            db.execute(
                "INSERT INTO entry VALUES (?, ?, ?) ON CONFLICT (token, address) DO UPDATE SET until = excluded.until",
                (token, address, now + ttl if ttl else 0),
            )
            if db.execute("SELECT count(*) FROM entry WHERE token = ?", (token,)).fetchone()[0] > MOST_ENTRIES:
                raise Full(f"a cluster may have {MOST_ENTRIES} entries")
            db.execute("UPDATE cluster SET used = ? WHERE token = ?", (now, token))
            db.execute("UPDATE maker SET unused = 0 WHERE token = ?", (token,))

    def remove(self, token: str, address: str) -> None:
        """Remove an address; one that is not registered is no error."""
        with self._open() as db:
            db.execute("DELETE FROM entry WHERE token = ? AND address = ?", (token, address))

    def _add(self, db: sqlite3.Connection, token: str, *, reuse: bool = False) -> None:
        if not TOKEN.match(token):
            raise UnknownToken(f"{token[:64]!r} is not a token: letters, digits, - and _, at most 64")
        now = self._now()
        if reuse and db.execute("SELECT 1 FROM cluster WHERE token = ?", (token,)).fetchone():
            return
        live = "AND NOT EXISTS (SELECT 1 FROM entry WHERE entry.token = cluster.token AND until = 0)"
        db.execute(f"DELETE FROM cluster WHERE used < ? {live}", (now - IDLE,))  # noqa: S608 (no input in it)
        if db.execute("SELECT count(*) FROM cluster").fetchone()[0] >= MOST_CLUSTERS:
            raise Full(f"there are {MOST_CLUSTERS} tokens already")
        db.execute("INSERT INTO cluster VALUES (?, ?)", (token, now))

    def _forget_unused(self, db: sqlite3.Connection) -> None:
        """End the tokens that were made over the network and not used in time."""
        before = self._now() - limits.TOKEN_UNUSED_SECONDS
        late = "SELECT token FROM maker WHERE unused > 0 AND unused < ?"
        db.execute(f"DELETE FROM cluster WHERE token IN ({late})", (before,))  # noqa: S608 (no input in it)

    @staticmethod
    def _check_quota(db: sqlite3.Connection, client: str) -> None:
        unused_tokens, all_tokens = db.execute(
            "SELECT coalesce(sum(unused > 0), 0), count(*) FROM maker WHERE address = ?", (client,)
        ).fetchone()
        if unused_tokens >= limits.TOKEN_UNUSED_PER_ADDRESS:
            raise TooMany(
                f"{client} has made {unused_tokens} tokens that nobody uses yet: use one of them, or wait until "
                f"they end, {limits.TOKEN_UNUSED_SECONDS / 60:g} minutes after they were made"
            )
        if all_tokens >= limits.TOKEN_PER_ADDRESS:
            raise TooMany(f"{client} has made {all_tokens} tokens, and no more are made for one address")

    def _check_token(self, db: sqlite3.Connection, token: str) -> None:
        unused = db.execute("SELECT unused FROM maker WHERE token = ?", (token,)).fetchone()
        over = unused is not None and 0 < unused[0] < self._now() - limits.TOKEN_UNUSED_SECONDS
        if over or not db.execute("SELECT 1 FROM cluster WHERE token = ?", (token,)).fetchone():
            raise UnknownToken(
                "this token is not known here; machine swarm create makes one",
                resolution="look for a typing error in the token, or make one: machine swarm create",
            )

    @contextmanager
    def _open(self, begin: str = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
        """The file, in one transaction: all of the block is kept, or nothing."""
        try:
            if not os.path.exists(self.path):
                _make_directory(os.path.dirname(os.path.abspath(self.path)))
                os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600))
            with closing(sqlite3.connect(self.path, timeout=WAIT, isolation_level=None)) as db:
                db.execute("PRAGMA foreign_keys = ON")
                db.executescript(_SCHEMA)
                db.execute(f"BEGIN {begin}")
                try:
                    yield db
                except BaseException:
                    db.execute("ROLLBACK")
                    raise
                db.execute("COMMIT")
        except (OSError, sqlite3.Error) as error:
            raise DiscoveryError(
                f"the registry {self.path} cannot be used: {reason_of(error)}",
                resolution="see who owns that file and whether its disk is full, or name another with --registry FILE",
            ) from error


def _make_directory(path: str) -> None:
    """Make `path` and what is missing above it, each 0700 whatever the umask is."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    except FileNotFoundError:
        _make_directory(os.path.dirname(path))
        os.makedirs(path, mode=0o700, exist_ok=True)
