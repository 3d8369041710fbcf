"""The time of a step on a device: work by a roofline, messages by their bytes and who takes part."""

from __future__ import annotations

import pytest

from modelwright.methods.planning.device import (
    Device,
    bytes_sent,
    message_seconds,
    operation_seconds,
    pipeline_seconds,
    step_time,
)
from modelwright.methods.planning.log import Log, Operation

DEVICE = Device(
    flops_per_second=100e12,
    float32_flops_per_second=10e12,
    attention_flops_per_second=50e12,
    bytes_per_second=1e12,
    link_bytes_per_second=100e9,
    network_bytes_per_second=10e9,
    overhead_seconds=0.0,
    devices=8,
)
GB = 10**9


def sent(name: str, inputs: int, outputs: int, ranks: range) -> Operation:
    return Operation(f"c10d.{name}.default", "sent", inputs, outputs, 0, tuple(ranks))


def test_arithmetic_or_memory_is_the_limit_and_precision_counts() -> None:
    product = Operation("mm.default", "matmul", 0, 0, 10**14, (), 2)
    assert operation_seconds(product, DEVICE) == pytest.approx(1.0)
    assert operation_seconds(Operation("mm.default", "matmul", 0, 0, 10**14, (), 4), DEVICE) == pytest.approx(10.0)
    assert operation_seconds(Operation("_scaled", "attention", 0, 0, 10**14, (), 2), DEVICE) == pytest.approx(2.0)
    assert operation_seconds(Operation("add.Tensor", "elementwise", GB, GB, 0), DEVICE) == pytest.approx(0.002)
    assert operation_seconds(Operation("view.default", "elementwise", GB, GB, 0), DEVICE) == 0.0


def test_a_message_is_sent_over_the_links_or_over_the_network() -> None:
    gathered = sent("_allgather_base_", GB + GB // 8, GB, range(8))
    assert message_seconds(gathered, DEVICE) == pytest.approx(7 / 8 / 100, rel=0.01)
    # The same eight, of two machines.
    assert message_seconds(sent("_allgather_base_", GB + GB // 8, GB, range(4, 12)), DEVICE) == pytest.approx(
        7 / 8 / 10, rel=0.01
    )
    assert message_seconds(sent("allreduce_", GB, GB, range(8)), DEVICE) == pytest.approx(2 * 7 / 8 / 100, rel=0.01)
    assert message_seconds(sent("_reduce_scatter_base_", GB + GB // 8, GB // 8, range(8)), DEVICE) == pytest.approx(
        7 / 8 / 100, rel=0.01
    )
    assert message_seconds(sent("send", GB, 0, range(2)), DEVICE) == pytest.approx(1 / 100, rel=0.01)
    assert message_seconds(sent("allreduce_", GB, GB, range(1)), DEVICE) == 0.0


def test_messages_beside_the_work_only_count_where_they_take_longer() -> None:
    work = Operation("mm.default", "matmul", 0, 0, 10**13, (), 2)
    beside = sent("_allgather_base_", GB, GB, range(8))
    waited = sent("allreduce_", GB, GB, range(8))
    events = [
        ("phase", "training"),
        ("call", 0, ()),
        ("phase", "training"),
        ("call", 0, ()),
        ("stream", 1),
        ("call", 1, ()),
        ("stream", 0),
        ("call", 2, ()),
        ("phase", "training"),
    ]
    time = step_time(Log([work, beside, waited], events), DEVICE)
    assert time.work == pytest.approx(0.1)
    assert time.seconds == pytest.approx(time.work + time.waited)
    many = [*events[:-1], ("stream", 1), *[("call", 1, ())] * 50, ("phase", "training")]
    time = step_time(Log([work, beside, waited], many), DEVICE)
    assert time.seconds == time.beside
    assert bytes_sent(Log([work, beside, waited], many)) == {"allgather_base among 8": 51 * GB, "allreduce among 8": GB}


def test_a_pipeline_waits_at_both_ends() -> None:
    assert pipeline_seconds(1.0, 4, 12) == pytest.approx(1.25)
    assert pipeline_seconds(1.0, 4, 12, 2) == pytest.approx(1.125)
    assert pipeline_seconds(1.0, 1, 4) == 1.0
