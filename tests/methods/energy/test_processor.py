"""Each way of telling what the processor draws, on made-up counters and machines, and against CodeCarbon's own numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from modelwright.core.errors import MissingExtra
from modelwright.methods.energy import processor
from modelwright.methods.energy.processor import constant, design_power, look_up, open_processor, rapl
from modelwright.methods.energy.settings import Energy
from modelwright.methods.energy.spent import Load

LOAD = Load(process=10.0, machine=40.0, wall=20.0, cores=4)


def load() -> Load:
    return LOAD


@pytest.fixture
def counters(tmp_path: Path) -> Callable[[int, int], None]:
    """Two packages with a counter each, and a part of the first that must not be counted again."""

    def write(first: int, second: int) -> None:
        for name, count in (("intel-rapl:0", first), ("intel-rapl:1", second), ("intel-rapl:0:0", 999_999)):
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / "energy_uj").write_text(f"{count}\n")
            (tmp_path / name / "max_energy_range_uj").write_text("99999999\n")

    write(0, 0)
    return write


def test_counters_are_shared_out_by_processor_time(counters: Callable[[int, int], None], tmp_path: Path) -> None:
    meter = rapl(tmp_path, load)
    assert meter is not None
    assert meter.measured
    counters(6_000_000, 2_000_000)
    spent = meter.read()
    # Eight joules, of which a quarter of all processor time is ours; it cannot have been more than all of them.
    assert (spent.joules, spent.low, spent.high) == pytest.approx((2.0, 1.8, 8.0))


def test_a_counter_that_wraps_around_is_followed(counters: Callable[[int, int], None], tmp_path: Path) -> None:
    counters(99_000_000, 0)
    meter = rapl(tmp_path, lambda: Load(1.0, 1.0, 1.0, 1))
    assert meter is not None
    counters(1_000_000, 0)
    assert meter.read().joules == pytest.approx(2.0)
    counters(0, 0)
    assert meter.read().joules == pytest.approx(101.0)


def test_counters_that_may_not_be_read_are_none(tmp_path: Path) -> None:
    assert rapl(tmp_path, load) is None
    (tmp_path / "intel-rapl:0").mkdir()
    assert rapl(tmp_path, load) is None


def cpuinfo(folder: Path, model: str, flags: str = "fpu") -> Path:
    path = folder / "cpuinfo"
    path.write_text(f"processor\t: 0\nmodel name\t: {model}\nflags\t\t: {flags}\n")
    return path


def test_design_power_by_load(tmp_path: Path) -> None:
    path = cpuinfo(tmp_path, "AMD Ryzen 5 5600 6-Core Processor")
    meter = design_power(path, load)
    assert meter is not None
    assert not meter.measured
    spent = meter.read()
    # 65 W for four cores; ten core-seconds of ours.
    assert spent.joules == pytest.approx(65 * 10 / 4)
    assert spent.low < spent.joules < spent.high
    assert spent.high == pytest.approx(65 * 20)
    assert "65 W" in meter.method


def test_a_virtual_machine_knows_no_share_of_a_package(tmp_path: Path) -> None:
    path = cpuinfo(tmp_path, "AMD Ryzen 5 5600 6-Core Processor", "fpu hypervisor")
    assert design_power(path, load) is None
    assert design_power(path, load, even_if_virtual=True) is not None
    assert design_power(cpuinfo(tmp_path, "Abacus 3000"), load) is None
    assert design_power(tmp_path / "absent", load) is None


def test_names_are_looked_up_whole() -> None:
    assert look_up("AMD Ryzen 5 5600 6-Core Processor") == look_up("AMD Ryzen 5 5600")
    assert look_up("Intel(R) Core(TM) i7-8650U CPU @ 1.90GHz") == 15
    assert look_up("56") is None


def test_a_constant_has_wide_bounds_unless_it_was_measured() -> None:
    guessed, stated = constant("auto", load).read(), constant(10.0, load).read()
    assert guessed.joules == pytest.approx(35.0)
    assert (guessed.low, guessed.high) == pytest.approx((10.0, 150.0))
    assert (stated.joules, stated.low, stated.high) == pytest.approx((100.0, 70.0, 150.0))


def test_the_best_meter_that_is_there_is_taken(
    counters: Callable[[int, int], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = cpuinfo(tmp_path, "AMD Ryzen 5 5600 6-Core Processor")
    monkeypatch.setattr(processor, "RAPL", tmp_path)
    monkeypatch.setattr(processor, "PROCESSOR", path)
    assert open_processor(Energy(), load).method.startswith("RAPL")
    assert open_processor(Energy(method="table"), load).method.startswith("design power")
    assert open_processor(Energy(method="constant"), load).method.startswith("3.5 W a busy core")
    monkeypatch.setattr(processor, "RAPL", tmp_path / "absent")
    assert open_processor(Energy(), load).method.startswith("design power")
    monkeypatch.setattr(processor, "PROCESSOR", tmp_path / "absent")
    assert open_processor(Energy(), load).method.startswith("3.5 W a busy core")
    for method in ("rapl", "table"):
        with pytest.raises(MissingExtra, match=f"energy by '{method}' cannot be had"):
            open_processor(Energy(method=method), load)
