"""What a person sees while a run goes on: a live bar on a terminal, elsewhere a plain line at most every 30 seconds."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any

from ..core.errors import Interrupted
from ..core.stage import Answer, Progress
from ..core.units import format_bytes, format_joules, format_seconds
from .rows import Rows
from .words import say

PLAIN_SECONDS = 30.0
LIVE_SECONDS = 0.1
# Who asks us to stop gives us ten seconds. A stage that has not heard of it by then is stopped where it is: what is on the
# disk is whole at every moment. One that has heard is saving, and is left to it.
UNHEARD_SECONDS, STUCK_SECONDS = 7.0, 2.0


class Screen:
    """State: the live bar if there is one, what was said last and when, and whether somebody asked to stop."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.asked_to_stop = False
        self._live: Any = None
        self._display: Any = None
        self._bar: Any = None
        self._rows = Rows()
        self._stage, self._said, self._began = "", 0.0, 0.0
        self._before: dict[int, Any] = {}
        self._heard, self._left = threading.Event(), threading.Event()

    def __enter__(self) -> Screen:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            try:
                self._before[number] = signal.signal(number, self._ask_to_stop)
            except ValueError:  # not the main thread: whoever owns it handles signals
                break
        if not self.quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            self._live = _live_bar()
            self._display = _display(self._rows, self._live)
            self._display.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._heard.set()
        self._left.set()
        if self._live is not None:
            self._display.stop()
            self._keep_table()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        if self.asked_to_stop and number == signal.SIGINT:
            raise KeyboardInterrupt
        if not self.asked_to_stop:
            self.asked_to_stop = True
            threading.Thread(target=self._insist, daemon=True).start()

    def _insist(self) -> None:
        """Stop a stage that does not listen, in reading or in one long step, as a second Ctrl-C would."""
        if self._heard.wait(UNHEARD_SECONDS):
            return
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        if not self._left.wait(STUCK_SECONDS):
            # Not even Python is heard: some library computes. This is what kill -9 would do, with the right exit code.
            print(f"{say('error')}: {say('stopped at once')}", file=sys.stderr, flush=True)
            os._exit(Interrupted.exit_code)

    def on_progress(self, progress: Progress) -> Answer:
        """Show one sign of life."""
        if not self.quiet:
            self._show(progress)
        if not self.asked_to_stop:
            return "go"
        # Messages pass by; to a report of steps a stage listens.
        if not progress.message:
            self._heard.set()
        return "interrupt"

    def line(self, text: str) -> None:
        """Write one line that stays."""
        if self.quiet:
            return
        if self._live is not None:
            self._live.console.print(text, highlight=False, markup=False)
        else:
            print(text, file=sys.stderr, flush=True)

    def _show(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.stage != self._stage:
            self._stage, self._began, self._said = progress.stage, now, 0.0
            if self._bar is not None:
                self._live.remove_task(self._bar)
                self._bar = None
            self._keep_table()
        if progress.row and self._live is not None:
            self._rows.put(progress.row)
            return
        if progress.message:
            self.line(f"{say(progress.stage):<9} {say(progress.message)}")
            return
        if self._live is not None:
            if now - self._said >= LIVE_SECONDS or progress.step == progress.total:
                self._said = now
                if self._bar is None:
                    self._bar = self._live.add_task(say(progress.stage), total=progress.total, text="")
                self._live.update(self._bar, completed=progress.step, total=progress.total, text=_values(progress))
        elif now - max(self._said, self._began) >= PLAIN_SECONDS:
            self._said = now
            self.line(f"{say(progress.stage):<9} {progress.step}/{progress.total} {_values(progress)}")

    def _keep_table(self) -> None:
        """Write the table of a stage that is over, so that it stays when the live one goes."""
        table = self._rows.take()
        if table is not None:
            self._live.console.print(table)


def _values(progress: Progress) -> str:
    values = progress.values
    words = [f"{say('loss')} {values['loss']:.4f}"] if "loss" in values else []
    if "validation_accuracy" in values:
        words.append(f"{say('validation')} {values['validation_accuracy']:.4f}")
    if "best" in values:
        words.append(f"{say('best')} {values['best']:.4f}")
    if "steps_per_second" in values:
        words.append(f"{values['steps_per_second']:.1f} {say('steps/s')}")
    if "seconds_left" in values:
        words.append(f"{say('left')} {format_seconds(max(1.0, values['seconds_left']))}")
    words.append(f"{say('memory')} {format_bytes(resident_bytes())}")
    if values.get("joules"):
        words.append(f"{say('energy')} {format_joules(values['joules'])}")
    return " · ".join(words)


def resident_bytes() -> int:
    """Return how much memory this process holds, in bytes; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm") as stream:
            return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _live_bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    return Bar(
        TextColumn("{task.description:<9}"),
        BarColumn(24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[text]}"),
        console=Console(stderr=True),
        transient=True,
    )


def _display(rows: Rows, bar: Any) -> Any:
    from rich.console import Group
    from rich.live import Live

    return Live(get_renderable=lambda: Group(rows, bar), console=bar.console, transient=True, refresh_per_second=10)
