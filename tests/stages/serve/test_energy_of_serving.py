"""A server says what it has drawn, in all and for each example, with bounds."""

from __future__ import annotations

from types import SimpleNamespace

from modelwright.stages.serve.measures import Measures


def batcher(examples: int) -> SimpleNamespace:
    counts = SimpleNamespace(batches=1, examples=examples, refused=0, expired=0, abandoned=0, failed=0)
    return SimpleNamespace(depth=0, seconds_of_example=0.01, counts=counts)


def test_energy_is_a_metric_and_evidence() -> None:
    measures = Measures("m", "1")
    sum(number * number for number in range(400_000))
    line = next(
        line
        for line in measures.text(batcher(4), True).decode().splitlines()
        if line.startswith("modelwright_energy_joules")
    )
    assert float(line.split()[1]) > 0
    (found,) = (
        item
        for item in measures.summary(batcher(4), "d" * 64, 2.0)["evidence"]
        if item["name"] == "serving_energy_per_example"
    )
    assert found["unit"] == "joules"
    assert 0 < found["low"] < found["value"] < found["high"]
    assert "4 examples" in found["method"]
    assert found["value"] * 4 >= float(line.split()[1]) * 0.99


def test_a_server_that_was_asked_nothing_has_no_energy_per_example() -> None:
    assert Measures("m", "1").summary(batcher(0), "d" * 64, 2.0)["evidence"] == []
