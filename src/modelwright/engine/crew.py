"""Several processes that carry out a stage together, over torch.distributed.

The first process runs the recipe, and calls the others to each joint stage through the store in which they met. Inside a
stage all of them go through the same code in the same order; the others write nothing and are told what the first decides.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from ..core import errors, registry
from ..core.artifact import Artifact
from ..core.crew import LostContact
from ..core.errors import Interrupted, ModelwrightError
from ..core.recipe import recipe_from
from ..core.stage import Context
from .watchdog import DISMISSED, GONE, Watchdog, home

# Whoever hangs is found by the watchdog, which knows a long validation from a stuck message; no message has a limit of its own.
FOR_EVER = timedelta(days=30)
LOOK_SECONDS = 0.05
# How long a process that met an error waits to hear that the first one met it too.
SAME_SECONDS = 5.0
GOING_SECONDS, ANSWER_SECONDS = 15.0, 5.0
# What the processes know of each other, which is nobody else's business.
ENVIRONMENT = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "GROUP_RANK")
FOREIGN = ("ROLE_", "GROUP_", "TORCHELASTIC_")


@dataclass
class Together:
    """State: the store in which the processes met, how many calls there were, and when something last went on."""

    store: Any
    rank: int
    size: int
    patience: float
    calls: int = 0
    signs: list[int] = field(default_factory=lambda: [0])

    @contextmanager
    def together(self, context: Any) -> Iterator[None]:
        """Call the others to a stage; tell them when it is over here."""
        if self.rank:
            yield
            return
        number, self.calls = self.calls, self.calls + 1
        self.store.set(f"call/{number}", json.dumps(_described(context)))
        try:
            yield
        except BaseException:
            with suppress(RuntimeError):  # what has happened is worse
                self.store.set(f"over/{number}", "badly")
            raise
        self.store.set(f"over/{number}", "well")

    def share(self, make: Callable[[], Any]) -> Any:
        """Let the first process make something, and return it in all; what it cannot make is an error in all.

        Raises:
            ModelwrightError: whatever the first process met.
        """
        if self.rank:
            said = self._send(b"")
            if "error" in said:
                raise _error_of(said["error"])
            return said["value"]
        try:
            said = {"value": make()}
        except ModelwrightError as error:
            self._send(json.dumps({"error": _error_said(error)}).encode())
            raise
        return self._send(json.dumps(said).encode())["value"]

    def _send(self, content: bytes) -> dict[str, Any]:
        with contact():
            length = torch.tensor([len(content)])
            dist.broadcast(length, 0)
            letters = torch.zeros(int(length), dtype=torch.uint8)
            if self.rank == 0:
                letters.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
            dist.broadcast(letters, 0)
        said: dict[str, Any] = json.loads(letters.numpy().tobytes())
        return said

    def collect(self, value: Any) -> list[Any]:
        """Return what each process has."""
        content = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
        with contact():
            lengths = [torch.zeros(1, dtype=torch.int64) for _ in range(self.size)]
            dist.all_gather(lengths, torch.tensor([len(content)]))
            padded = torch.zeros(int(max(lengths)), dtype=torch.uint8)
            padded[: len(content)] = content
            everyone = [torch.empty_like(padded) for _ in lengths]
            dist.all_gather(everyone, padded)
        return [json.loads(row[: int(length)].numpy().tobytes()) for row, length in zip(everyone, lengths, strict=True)]

    @contextmanager
    def watched(self, first: float) -> Iterator[None]:
        """End this process when for too long nothing goes on in the first one; say what a lost connection means.

        `first` is how much longer than anything else the first sign may take.
        """
        store = self.store.clone()
        # The machine of the store may be cut off: who watches must not wait for it.
        store.set_timeout(timedelta(seconds=ANSWER_SECONDS))
        watchdog = Watchdog(store, self.rank, self.patience, first, self.signs, self.calls - 1)
        watchdog.start()
        try:
            with contact():
                yield
        finally:
            watchdog.stop()

    def sign(self) -> None:
        """Say that something goes on."""
        self.signs[0] += 1

    def follow(self) -> None:
        """Carry out every stage that the first process calls to, until it dismisses us."""
        while (said := self._next_call()) is not None:
            number, self.calls = self.calls, self.calls + 1
            context = _context_of(said, self)
            try:
                registry.load(context.stage.function)(context)
            except ModelwrightError:
                if not self._is_over(number):
                    raise

    def dismiss(self) -> None:
        """Let the others go home, and wait until they have gone: the store in which they look may be in this process."""
        with suppress(RuntimeError):  # there may be nobody left to wait for
            self.store.set(DISMISSED, "")
            self._wait_for([f"{GONE}/{rank}" for rank in range(1, self.size)], GOING_SECONDS)

    def _next_call(self) -> dict[str, Any] | None:
        key = f"call/{self.calls}"
        with contact():
            while not self.store.check([key]):
                if self.store.check([DISMISSED]):
                    self.store.set(f"{GONE}/{self.rank}", "")
                    return None
                time.sleep(LOOK_SECONDS)
            said: dict[str, Any] = json.loads(self.store.get(key))
        return said

    def _is_over(self, number: int) -> bool:
        """Whether the first process has left the stage too: then it says what was wrong."""
        return self._wait_for([f"over/{number}"], SAME_SECONDS)

    def _wait_for(self, keys: list[str], seconds: float) -> bool:
        end = time.monotonic() + seconds
        while not self.store.check(keys):
            if time.monotonic() > end:
                return False
            time.sleep(LOOK_SECONDS)
        return True


def join(patience: float) -> Together:
    """Meet the other processes where the environment says, as torchrun and its relatives set it; then forget what it says.

    Whoever is started from here must not take itself for one of us.

    Raises:
        LostContact: the others cannot be found.
    """
    # Where all attempts share a store, as under torchrun itself, each has a shelf of its own; otherwise a machine may have
    # come later than another, and counts its attempts by itself.
    shared = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") if shared else ""
    with contact():
        store, rank, size = next(iter(rendezvous("env://", timeout=timedelta(seconds=max(60.0, patience)))))
        dist.init_process_group(
            "gloo", store=PrefixStore(f"group/{attempt}", store), rank=rank, world_size=size, timeout=FOR_EVER
        )
    for name in list(os.environ):
        if name in ENVIRONMENT or name.startswith(FOREIGN):
            del os.environ[name]
    together = Together(PrefixStore(f"crew/{attempt}", store), rank, size, patience)
    together.store.set(f"process/{rank}", json.dumps([home(), os.getpid()]))
    return together


@contextmanager
def contact() -> Iterator[None]:
    """Say what it means when a message cannot be sent.

    Raises:
        LostContact: the connection to another process is gone.
    """
    try:
        yield
    except RuntimeError as error:
        words = str(error).lower()
        if not isinstance(error, dist.DistError) and not any(
            word in words for word in ("gloo", "connection", "socket")
        ):
            raise
        raise LostContact(
            f"another process is gone: {str(error).splitlines()[0][:160]}",
            where="train",
            next_step="all processes begin again from the last checkpoint",
        ) from error


def _described(context: Context) -> dict[str, Any]:
    """Return all that another process needs to carry out the same stage."""
    return {
        "stage": context.stage.name,
        "recipe": context.recipe.resolved(),
        "base": str(context.recipe.base.resolve()),
        "inputs": {kind: [item.digest, str(item.path.resolve())] for kind, item in context.inputs.items()},
        "folder": str(context.folder.resolve()),
        "work": str(context.work.resolve()),
    }


def _context_of(said: dict[str, Any], crew: Together) -> Context:
    """Build the context of a process that writes and tells nothing."""

    def nothing(*given: Any, **more: Any) -> None:
        return None

    def never(*given: Any, **more: Any) -> Any:
        raise AssertionError(
            "only the first process of a crew stores what a stage gives, or runs a recipe inside another"
        )

    return Context(
        stage=registry.stage(said["stage"]),
        recipe=recipe_from(said["recipe"], Path(said["base"])),
        inputs={kind: Artifact(kind, digest, Path(path)) for kind, (digest, path) in said["inputs"].items()},
        gathered=(),
        folder=Path(said["folder"]),
        work=Path(said["work"]),
        on_progress=lambda progress: "go",
        meter=None,  # type: ignore[arg-type]
        run_recipe=never,
        store=never,
        find=nothing,
        note=nothing,
        choose=lambda name, decide: decide()[0],
        chosen=nothing,
        crew=crew,
    )


def _error_said(error: ModelwrightError) -> dict[str, Any]:
    return {"kind": type(error).__name__, "problems": [problem.__dict__ for problem in error.problems]}


def _error_of(said: dict[str, Any]) -> ModelwrightError:
    kind: type[ModelwrightError] = getattr(errors, said["kind"], Interrupted)
    return kind.of([errors.Problem(**problem) for problem in said["problems"]])
