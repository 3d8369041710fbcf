"""Trials in this process, one after the other."""

from __future__ import annotations

from collections.abc import Iterator

from ...core.errors import Interrupted
from ...core.stage import Answer, Context, Progress
from .search import Asked, Search
from .settings import Tune
from .telling import Teller
from .trial import run_trial


def search_here(context: Context, search: Search, teller: Teller) -> None:
    """Run all trials that are left, one after the other.

    Raises:
        Interrupted: asked to stop; the search goes on from here when it is resumed.
    """
    settings: Tune = context.settings
    for asked in next_trials(search, search.begun()):
        teller.begin(asked)
        done = len(search.tried())

        def on_progress(progress: Progress, done: int = done) -> Answer:
            values = {**progress.values, **teller.values}
            return context.on_progress(Progress(context.stage.name, done, search.limit, values))

        try:
            outcome = run_trial(search, asked, context.recipe, settings, context.run_recipe, on_progress)
        except Interrupted as error:
            raise Interrupted(
                f"stopped in trial {asked.number + 1} of {search.limit}, saved",
                where=context.stage.name,
                next_step=f"modelwright resume {context.folder}",
            ) from error
        search.tell(asked.number, outcome)
        teller.tell()


def next_trials(search: Search, begun: list[int]) -> Iterator[Asked]:
    """Yield first what was begun and never ended, then new trials until there are as many as asked for."""
    for number in begun:
        yield search.take_up(number)
    while (asked := search.ask()) is not None:
        yield asked
