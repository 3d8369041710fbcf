"""Every private thing of torch that tracing stands on, tried on the torch that is installed, and the traps that it must not fall into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from modelwright.engine.tracing import adapter
from modelwright.engine.tracing.probe import Prober
from modelwright.engine.tracing.tracer import Tracer
from modelwright.methods.planning.log import live_memory


def heard_of(program: Callable[[], Any]) -> list[str]:
    """Return the operators of a program, in order."""
    told: list[str] = []
    with adapter.faked(lambda operator, args, kwargs, result: told.append(str(operator))):
        program()
    return told


def peak_of(program: Callable[[], Any], probe: bool = True) -> int:
    """Return the peak that tracing finds."""
    tracer = Tracer()
    with tracer.tracing():
        tracer.phase("all")
        program()
    return live_memory(tracer.log, Prober().probe(tracer.calls) if probe else [None] * len(tracer.calls)).peak


def real_peak_of(program: Callable[[], Any], tmp_path: Any) -> int:
    """Return the peak of the allocator when the program is run for real."""
    import json

    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as seen:
        program()
    seen.export_chrome_trace(str(tmp_path / "trace.json"))
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    totals = [
        (event["ts"], event["args"]["Total Allocated"], event["args"]["Bytes"])
        for event in events
        if event["name"] == "[memory]"
    ]
    first = min(totals)
    return max(total for _, total, _ in totals) - (first[1] - first[2])


def train_lstm() -> None:
    layer = nn.LSTM(16, 32, batch_first=True)
    layer(torch.zeros(8, 20, 16))[0].sum().backward()


def train_both_ways() -> None:
    layer = nn.GRU(8, 8, batch_first=True, bidirectional=True)
    packed = pack_padded_sequence(torch.zeros(4, 6, 8), torch.tensor([6, 3, 2, 5]), True, enforce_sorted=False)
    pad_packed_sequence(layer(packed)[0], batch_first=True, total_length=6)[0].sum().backward()


def train_residual() -> None:
    first, second = nn.Linear(64, 64), nn.Linear(64, 64)
    stream = first(torch.zeros(32, 64))
    (stream + second(stream).relu()).exp().sum().backward()


def train_convolution() -> None:
    layers = nn.Sequential(nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2))
    layers.to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(layers.parameters(), fused=True)
    layers(torch.zeros(8, 3, 16, 16)).sum().backward()
    optimiser.step()


def answer_texts() -> None:
    embedding, layer = nn.Embedding(50, 16), nn.GRU(16, 24, batch_first=True)
    with torch.inference_mode():
        layer(nn.functional.dropout(embedding(torch.zeros(8, 12, dtype=torch.int64)), 0.5, False))[0].amax(dim=1)


PROGRAMS = [train_lstm, train_both_ways, train_residual, train_convolution, answer_texts]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_the_traced_peak_is_that_of_the_real_program(program: Callable[[], None], tmp_path: Any) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert peak_of(program) == pytest.approx(real_peak_of(program, tmp_path), rel=1e-3, abs=64)
    finally:
        torch.set_num_threads(threads)


def test_without_the_probe_a_workspace_is_not_seen() -> None:
    assert peak_of(train_lstm, probe=False) < 0.8 * peak_of(train_lstm)


def test_numbers_that_are_asked_for_are_finite_and_true() -> None:
    def program() -> None:
        loss = torch.zeros(3).sum()
        assert float(loss) == adapter.ANY_NUMBER
        assert bool(torch.isfinite(loss).all())
        assert loss.tolist() == adapter.ANY_NUMBER
        assert torch.zeros(2, 2).double().numpy().shape == (2, 2)

    heard_of(program)


def test_lengths_are_worked_out_for_real() -> None:
    def program() -> None:
        lengths = torch.tensor([3, 1, 2])
        assert lengths.sum().item() == 6
        assert lengths.sort(descending=True)[0].tolist() == [3, 2, 1]

    heard_of(program)


def test_attention_is_the_fused_one_of_the_processor() -> None:
    def program() -> None:
        heads = torch.zeros(2, 2, 8, 16, requires_grad=True)
        nn.functional.scaled_dot_product_attention(heads, heads, heads).sum().backward()

    assert any("flash_attention_for_cpu" in name for name in heard_of(program))


def test_everything_is_put_back() -> None:
    before = (nn.Module._apply, torch.UntypedStorage.data_ptr, adapter.FakeTensor.numpy)
    heard_of(lambda: torch.zeros(2))
    assert before == (nn.Module._apply, torch.UntypedStorage.data_ptr, adapter.FakeTensor.numpy)
    assert "_pad_packed_sequence" not in vars(torch._VF)
    assert torch.ones(2).sum().item() == 2
