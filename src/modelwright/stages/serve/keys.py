"""Keys of the interface: 256 random bits, shown once and stored as SHA-256, with scopes, an end and a way to take them back."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.errors import RecipeError
from .store import Store, state_folder

SCOPES = ("predict", "feedback", "metrics", "admin")
MARK = "mw"
DAY = 86_400.0
NOBODY = hashlib.sha256(b"").digest()


@dataclass(frozen=True)
class Key:
    """What is known of a key; not the key itself."""

    prefix: str
    name: str
    digest: bytes
    scopes: tuple[str, ...]
    created: float
    expires: float | None
    revoked: float | None

    def valid(self, now: float) -> bool:
        """Say whether it may still be used."""
        return self.revoked is None and (self.expires is None or now < self.expires)

    def may(self, scope: str) -> bool:
        """Say whether it is for this; a key of the scope admin is for everything."""
        return scope in self.scopes or "admin" in self.scopes


def add_key(store: Store, name: str, scopes: tuple[str, ...], days: float | None) -> str:
    """Make a key; return it, for the only time."""
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise RecipeError(
            f"'{unknown[0]}' is not a scope" if unknown else "no scope", expected=f"some of {', '.join(SCOPES)}"
        )
    prefix, now = secrets.token_hex(4), time.time()
    key = f"{MARK}_{prefix}_{secrets.token_urlsafe(32)}"
    expires = None if days is None else now + days * DAY
    row = (prefix, name, hashlib.sha256(key.encode()).digest(), " ".join(scopes), now, expires, None)
    with store.writing() as connection:
        connection.execute("insert into keys values (?, ?, ?, ?, ?, ?, ?)", row)
    return key


def all_keys(store: Store) -> list[Key]:
    """Return every key that was ever made, oldest first."""
    rows: list[Any] = store.read(
        "select prefix, name, digest, scopes, created, expires, revoked from keys order by created"
    )
    return [Key(row[0], row[1], bytes(row[2]), tuple(row[3].split()), *row[4:]) for row in rows]


def revoke_key(store: Store, prefix: str) -> Key:
    """Take a key back; a running server hears of it within a second.

    Raises:
        RecipeError: there is no such key.
    """
    prefix = prefix.removeprefix(f"{MARK}_").split("_")[0]
    with store.writing() as connection:
        connection.execute("update keys set revoked = ? where prefix = ? and revoked is null", (time.time(), prefix))
    for key in all_keys(store):
        if key.prefix == prefix:
            return key
    raise RecipeError(
        f"there is no key '{prefix}'",
        where=store.folder,
        expected="the eight characters behind `mw_`",
        next_step="modelwright keys list shows them",
    )


def manage(
    action: str, release: Path, state: Path | None, name: str, scopes: tuple[str, ...], days: float | None
) -> dict[str, Any]:
    """Add, list or revoke the keys of a release: what `modelwright keys` does."""
    store = Store(state or state_folder(release))
    try:
        if action == "add":
            return {"key": add_key(store, name, scopes, days), "name": name, "scopes": list(scopes)}
        if action == "revoke":
            revoke_key(store, name)
        return {"keys": [_shown(key) for key in all_keys(store)]}
    finally:
        store.close()


def expiring(release: Path, now: float, within: float) -> list[dict[str, Any]]:
    """Return the keys of a release that nobody has taken back and that end within so many seconds, or have ended.

    Units: now, within: seconds.
    """
    if not state_folder(release).exists():
        return []
    store = Store(state_folder(release))
    try:
        ending = [key for key in all_keys(store) if key.revoked is None and key.expires is not None]
        return [_shown(key) | {"expires": key.expires} for key in ending if (key.expires or 0.0) < now + within]
    finally:
        store.close()


def _shown(key: Key) -> dict[str, Any]:
    state = "revoked" if key.revoked is not None else "valid" if key.valid(time.time()) else "expired"
    return {
        "prefix": key.prefix,
        "name": key.name,
        "scopes": list(key.scopes),
        "created": key.created,
        "expires": key.expires,
        "state": state,
    }


class Ring:
    """Owns the keys as they were when last looked up, by prefix."""

    def __init__(self, store: Store) -> None:
        self._store, self._version = store, -1
        self._keys: dict[str, Key] = {}
        self.refresh()

    def refresh(self) -> None:
        """Look again if another process has written."""
        version = self._store.version()
        if version != self._version:
            self._keys = {key.prefix: key for key in all_keys(self._store)}
            self._version = version

    @property
    def demanded(self) -> bool:
        """Whether a key is needed: as soon as there was ever one, so that taking the last one back opens no door."""
        return bool(self._keys)

    def usable(self) -> bool:
        """Whether anybody can come in with a key."""
        return any(key.valid(time.time()) for key in self._keys.values())

    def find(self, presented: str) -> Key | None:
        """Return the key that was presented, if it is valid; every other way out takes the same steps."""
        parts = presented.split("_", 2)
        key = self._keys.get(parts[1]) if len(parts) == 3 else None
        digest = hashlib.sha256(presented.encode("utf-8", "surrogateescape")).digest()
        same = hmac.compare_digest(digest, key.digest if key else NOBODY)
        return key if key and same and key.valid(time.time()) else None
