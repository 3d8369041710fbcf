"""Serving a release: verify it, listen, open the model, answer until told to stop, and leave nobody without an answer."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core import registry
from ...core.errors import Busy, DataError, MissingExtra, RecipeError
from ...core.files import explained, read_json
from ...core.journal import Journal
from ...core.positions import parse_yaml
from ...core.recipe import recipe_from
from .access import is_public
from .keys import Ring
from .settings import Serve
from .store import Store, state_folder

if TYPE_CHECKING:
    from ...engine.predictor import Predictor
    from .server import Server

BACKLOG = 2048
Open = Callable[[Path, int], "Predictor"]


def serve(
    release: Path,
    overrides: tuple[str, ...],
    state: Path | None,
    public_key: Path | None,
    tell: Callable[[str], None],
    open_model: Open | None = None,
    question: str = "",
    out: Path | None = None,
) -> dict[str, Any]:
    """Serve a release until SIGTERM or SIGINT; return what there is to say of it. `tell` is given the address when it is ready.

    With a question, it is asked over HTTP, its answer is returned under `found` (a picture is written to `out`), and serving ends.

    Raises:
        DamagedArtifact: the release is not what was signed, or does not answer as it did in training.
        RecipeError: a setting is wrong, the port is taken, or the address is public and there is no key.
    """
    _require_packages()
    # A link such as `current` may point at it; what is verified is the folder itself.
    release = release.resolve()
    settings = settings_for(release, overrides)
    signer = registry.function_of("action", "signed")(release, public_key)["verdict"]
    state = state or state_folder(release)
    store = Store(state)
    try:
        with alone(state) as journal:
            require_keys(settings, store)
            tls = _tls(settings, release)
            with listen(settings) as listener:
                from .server import Server
                from .service import read_served

                server = Server(read_served(release, signer), settings, store, journal)
                asking = partial(_ask, question, out, server, tls.get("ssl_certfile", "")) if question else None
                return server.run(listener, tls, tell, open_model, asking)
    finally:
        store.close()


def _ask(question: str, out: Path | None, server: Server, certificate: str, address: str) -> dict[str, Any]:
    """Ask as a client on this machine would; an address that stands for all of them is no name to call."""
    from .once import ask_once

    for anywhere in ("//0.0.0.0:", "//[::]:"):
        address = address.replace(anywhere, "//localhost:")
    service = server.service
    return ask_once(address, service.door.key, question, certificate, service.settings.deadline_ms / 1e3, out)


def settings_for(release: Path, overrides: tuple[str, ...]) -> Serve:
    """Return how a release asks to be served, with changes such as `serve.port=9000` or `port=9000`.

    Raises:
        RecipeError: a key or a value is wrong.
        DataError: this is not a release.
    """
    if not (release / "recipe.json").exists():
        raise DataError(
            "this is not a release",
            where=release,
            expected="a release folder",
            next_step="modelwright release RECIPE makes one",
        )
    stored = recipe_from(read_json(release / "recipe.json"), release, str(release / "recipe.json"))
    changes: dict[str, Any] = {}
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise RecipeError(
                f"'{text}' is not an override", where="command line", expected="KEY=VALUE such as serve.port=9000"
            )
        changes[f"serve.{key.removeprefix('serve.')}"] = parse_yaml(value, "command line").data if value.strip() else ""
    settings = (stored.edited(changes) if changes else stored).sections.get("serve", Serve())
    assert isinstance(settings, Serve)
    return settings


def _require_packages() -> None:
    missing = [name for name in ("fastapi", "uvicorn", "prometheus_client") if find_spec(name) is None]
    if missing:
        raise MissingExtra(
            f"the package {missing[0]} is missing", where="serve", next_step="pip install 'modelwright[serve]'"
        )


def require_keys(settings: Serve, store: Store) -> None:
    """Refuse to open the door to everybody.

    Raises:
        RecipeError: others can reach the address, and nobody has a valid key.
    """
    if is_public(settings.host) and not Ring(store).usable():
        raise RecipeError(
            "others than this machine can reach this address, and there is no valid key",
            where=f"serve.host: {settings.host}",
            expected="127.0.0.1, or a key",
            next_step="modelwright keys add RELEASE NAME makes one",
        )


def _tls(settings: Serve, base: Path) -> dict[str, str]:
    """Return where certificate and key lie, after a look at whether they fit."""
    if not settings.certificate:
        return {}
    paths = {"ssl_certfile": settings.certificate, "ssl_keyfile": settings.certificate_key or settings.certificate}
    found = {name: str(base / path) for name, path in paths.items()}
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(found["ssl_certfile"], found["ssl_keyfile"])
    except OSError as error:  # what ssl raises is one of these, too
        raise RecipeError(
            f"the certificate or its key cannot be used: {error.strerror or error}",
            where=f"serve.certificate: {found['ssl_certfile']}",
            expected="a certificate chain and its unencrypted private key, both PEM",
        ) from None
    return found


def listen(settings: Serve) -> socket.socket:
    """Take the port.

    Raises:
        RecipeError: somebody else has it, or the address is not one of this machine.
    """
    where = f"serve.port: {settings.host}:{settings.port}"
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((settings.host, settings.port))
            # Bound is not taken: without this, two servers with one port would both start.
            listener.listen(BACKLOG)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise RecipeError(
                f"the port {settings.port} is in use",
                where=where,
                expected="a free port",
                next_step=f"`ss -ltnp 'sport = :{settings.port}'` shows by whom; serve.port=0 takes any that is free",
            ) from None
        raise RecipeError(
            f"cannot listen here: {error.strerror or error}", where=where, expected="an address of this machine"
        ) from None
    listener.setblocking(False)
    return listener


@contextmanager
def alone(state: Path) -> Iterator[Journal]:
    """Hold the state of a release for one server, and open its journal.

    Raises:
        Busy: another server holds it.
    """
    with explained(state):
        lock = os.open(state / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Busy(
                "another server works with this state",
                where=state,
                next_step="stop it, or give this one a state of its own with --state FOLDER",
            ) from None
        yield Journal(state / "journal.jsonl", state / "journal.witness")
    finally:
        os.close(lock)
