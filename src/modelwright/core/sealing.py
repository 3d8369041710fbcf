"""Files that only a key opens: AES-256-GCM in chunks, each file under a data key of its own, which the user's key wraps.

A sealed file is MAGIC, the length of the header, the header, then chunks. A chunk says by its nonce which one it is and whether
it is the last, so that none can be cut off, left out, put elsewhere or brought from another file unnoticed. Another key
(rotation) means another header; the chunks stay as they are.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from .errors import DamagedArtifact, RecipeError
from .files import UNFINISHED, explained

MAGIC = b"modelwright-sealed-1\n"
CHUNK, TAG, KEY, PREFIX, NONCE = 1 << 20, 16, 32, 7, 12
HEADER_MOST = 4096
# Where a key is looked for when it is not where it was: the file that this variable names.
ELSEWHERE = "MODELWRIGHT_KEY_FILE"


@dataclass(frozen=True)
class Key:
    """A key, and where it was found: `env:NAME` or `file:PATH`."""

    secret: bytes
    place: str

    @property
    def id(self) -> str:
        """What tells keys apart and tells nothing of the key."""
        return hashlib.sha256(b"modelwright key\n" + self.secret).hexdigest()[:16]

    def __repr__(self) -> str:
        return f"Key({self.place}, {self.id})"


def read_key(place: str) -> Key:
    """Return the key that lies at `env:NAME` or `file:PATH`: 64 hexadecimal digits.

    Raises:
        RecipeError: nothing is there, or it is no key.
    """
    kind, _, name = place.partition(":")
    try:
        text = os.environ[name] if kind == "env" else Path(name).read_text(encoding="ascii")
        secret = bytes.fromhex(text.strip())
    except (KeyError, OSError):
        found = "the variable is not set" if kind == "env" else "the file cannot be read"
    except ValueError:
        found = "this is no key"
    else:
        if len(secret) == KEY:
            return Key(secret, place)
        found = f"this has {8 * len(secret)} bits"
    raise RecipeError(
        found,
        where=f"the key {place}",
        expected="64 hexadecimal digits",
        next_step="make one: python -c 'import secrets; print(secrets.token_hex(32))' > my.key",
    )


def seal(source: BinaryIO, target: BinaryIO, key: Key) -> None:
    """Write what `source` holds to `target`, sealed; no more than a few chunks are in memory.

    Source: NIST SP 800-38D, section 5.2 (AES-GCM); Hoang, Reyhanitabar, Rogaway and Vizar 2015, section 7 (STREAM).
    """
    data_key, fixed = secrets.token_bytes(KEY), {"chunk": CHUNK, "prefix": secrets.token_hex(PREFIX)}
    target.write(_header(fixed, data_key, key))
    cipher, bound = _cipher(data_key), _bound(fixed)
    for number, (content, last) in enumerate(_pieces(source, CHUNK)):
        target.write(cipher.encrypt(_nonce(fixed, number, last), content, bound))


def unseal(source: BinaryIO, target: BinaryIO, where: object) -> None:
    """Write what a sealed file holds to `target`, chunk by chunk; nothing of a chunk that was changed is written.

    Raises:
        DamagedArtifact: a chunk or the header was changed, cut off, or put in another place.
        RecipeError: the key is not to be had.
    """
    from cryptography.exceptions import InvalidTag

    header = _read_header(source, where)
    fixed = header["fixed"]
    cipher, bound = _cipher(_unwrap(header, key_of(header, where), where)), _bound(fixed)
    for number, (content, last) in enumerate(_pieces(source, fixed["chunk"] + TAG)):
        try:
            target.write(cipher.decrypt(_nonce(fixed, number, last), content, bound))
        except InvalidTag:
            raise DamagedArtifact(
                f"chunk {number + 1} is not what was sealed", where=where, expected="all chunks, in their order"
            ) from None


def seal_bytes(content: bytes, key: Key) -> bytes:
    """Return the content of a sealed file."""
    target = io.BytesIO()
    seal(io.BytesIO(content), target, key)
    return target.getvalue()


def unseal_bytes(content: bytes, where: object) -> bytes:
    """Return what the content of a sealed file holds; what is not sealed comes back as it is."""
    if not content.startswith(MAGIC):
        return content
    target = io.BytesIO()
    unseal(io.BytesIO(content), target, where)
    return target.getvalue()


def is_sealed(path: Path) -> bool:
    """Return whether a file is sealed."""
    with path.open("rb") as stream:
        return stream.read(len(MAGIC)) == MAGIC


def seal_file(path: Path, target: Path, key: Key) -> None:
    """Seal one file into another."""
    with explained(target, path.stat().st_size), path.open("rb") as source, target.open("wb") as sealed:
        seal(source, sealed, key)


def unseal_file(path: Path, target: Path) -> None:
    """Unseal one file into another; what could not be unsealed to its end is not left there.

    Raises:
        DamagedArtifact: it is not what was sealed.
    """
    with explained(target, path.stat().st_size):
        try:
            with path.open("rb") as source, target.open("wb") as plain:
                unseal(source, plain, path)
        except BaseException:
            target.unlink(missing_ok=True)
            raise


def rewrap(path: Path, new: Key, old: Sequence[Key]) -> bool:
    """Give a sealed file over to a new key; say whether it was under one of the old ones. The chunks are not opened."""
    with path.open("rb") as source:
        header = _read_header(source, path)
        key = next((key for key in old if key.id == header["key"]["id"]), None)
        if key is None or header["key"]["id"] == new.id:
            return False
        data_key = _unwrap(header, key, path)
        temporary = path.with_name(f"{UNFINISHED}{os.getpid()}-{path.name}")
        with explained(path, path.stat().st_size):
            try:
                with temporary.open("wb") as target:
                    target.write(_header(header["fixed"], data_key, new))
                    shutil.copyfileobj(source, target, CHUNK)
                    target.flush()
                    os.fsync(target.fileno())
                os.replace(temporary, path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
    return True


def key_of(header: dict[str, Any], where: object) -> Key:
    """Return the key that a header names, from where it was or from where the environment says.

    Raises:
        RecipeError: it is in neither place.
    """
    wanted = header["key"]["id"]
    elsewhere = os.environ.get(ELSEWHERE)
    for place in (header["key"]["place"], f"file:{elsewhere}" if elsewhere else ""):
        try:
            key = read_key(place) if place else None
        except RecipeError:
            continue
        if key is not None and key.id == wanted:
            return key
    raise RecipeError(
        f"the key {wanted} that opens this is not at {header['key']['place']}",
        where=where,
        expected="the key that it was sealed with",
        next_step=f"put the key back, or name its file in the variable {ELSEWHERE}",
    )


def _cipher(secret: bytes) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(secret)


def _bound(fixed: dict[str, Any]) -> bytes:
    return MAGIC + json.dumps(fixed, sort_keys=True).encode()


def _nonce(fixed: dict[str, Any], number: int, last: bool) -> bytes:
    return bytes.fromhex(fixed["prefix"]) + number.to_bytes(NONCE - PREFIX - 1, "big") + bytes([last])


def _pieces(source: BinaryIO, size: int) -> Iterator[tuple[bytes, bool]]:
    """Yield pieces of a size and whether each is the last; an empty source is one empty piece."""
    content = source.read(size)
    while True:
        following = source.read(size) if len(content) == size else b""
        yield content, not following
        if not following:
            return
        content = following


def _header(fixed: dict[str, Any], data_key: bytes, key: Key) -> bytes:
    nonce = secrets.token_bytes(NONCE)
    wrapped = nonce + _cipher(key.secret).encrypt(nonce, data_key, _bound(fixed))
    header = {"fixed": fixed, "key": {"id": key.id, "place": key.place}, "wrapped": wrapped.hex()}
    content = json.dumps(header, sort_keys=True).encode()
    return MAGIC + len(content).to_bytes(4, "big") + content


def _read_header(source: BinaryIO, where: object) -> dict[str, Any]:
    damaged = DamagedArtifact("the header was changed", where=where, expected="the header of a sealed file")
    if source.read(len(MAGIC)) != MAGIC:
        raise damaged
    length = int.from_bytes(source.read(4), "big")
    if length > HEADER_MOST:
        raise damaged
    try:
        header = json.loads(source.read(length))
        fixed = header["fixed"]
        sound = set(header) == {"fixed", "key", "wrapped"} and set(header["key"]) == {"id", "place"}
        sound = sound and fixed["chunk"] == CHUNK and len(bytes.fromhex(fixed["prefix"])) == PREFIX
        bytes.fromhex(header["wrapped"])
    except (ValueError, KeyError, TypeError):
        raise damaged from None
    if not sound:
        raise damaged
    found: dict[str, Any] = header
    return found


def _unwrap(header: dict[str, Any], key: Key, where: object) -> bytes:
    from cryptography.exceptions import InvalidTag

    wrapped = bytes.fromhex(header["wrapped"])
    try:
        opened: bytes = _cipher(key.secret).decrypt(wrapped[:NONCE], wrapped[NONCE:], _bound(header["fixed"]))
    except (InvalidTag, ValueError):
        raise DamagedArtifact("the header was changed", where=where, expected="the header that was sealed") from None
    return opened
