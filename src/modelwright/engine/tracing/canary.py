"""A small training that is traced and run: where the two peaks differ, what tracing says of a larger one is not believed."""

from __future__ import annotations

import torch
from torch import nn

from ...methods.planning.log import live_memory
from .probe import MARK, REFUSED, Prober, peaks_of
from .tracer import Tracer

# The version that the tests of this package try every private thing of; only of another one is there any doubt.
TRIED = "2.13.0"
# Share, and bytes, by which the two may differ.
SHARE, ROOM = 0.01, 64


def doubt() -> str:
    """Return why tracing is not to be trusted on the torch that is installed; empty where nothing speaks against it."""
    if torch.__version__.split("+")[0] == TRIED:
        return ""
    return disagreement()


def disagreement() -> str:
    """Return in what tracing and PyTorch's allocator disagree on a small training; empty where they agree."""
    try:
        traced, real = _traced(), _real()
    except (*REFUSED, AttributeError, ArithmeticError) as error:
        return f"the tracer fails on torch {torch.__version__}: {type(error).__name__}"
    if abs(traced - real) <= SHARE * real + ROOM:
        return ""
    return f"on torch {torch.__version__} the tracer finds {traced:,} bytes where a small training needs {real:,}"


def _train() -> None:
    """Go through what depends on private things: a workspace, a gradient summed in place, a fused optimiser, a recurrent layer."""
    image = nn.Sequential(nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
    recurrent, across = nn.LSTM(16, 24, batch_first=True), nn.Linear(24, 24)
    parameters = [*image.parameters(), *recurrent.parameters(), *across.parameters()]
    optimiser = torch.optim.Adam(parameters, fused=True)
    steps = image(torch.zeros(8, 3, 18, 18)).view(8, 64, 16)
    stream = recurrent(steps)[0]
    (stream + across(stream).relu()).exp().sum().backward()
    optimiser.step()


def _traced() -> int:
    tracer = Tracer()
    with tracer.tracing():
        tracer.phase("all")
        _train()
    return live_memory(tracer.log, Prober().probe(tracer.calls)).peak


def _real() -> int:
    with (
        torch.random.fork_rng(devices=[]),
        torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as seen,
        torch.profiler.record_function(f"{MARK}0"),
    ):
        _train()
    return peaks_of(seen)[0]
