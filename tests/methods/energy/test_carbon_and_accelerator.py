"""Carbon by country equals what CodeCarbon says; an accelerator's counters are read as its driver gives them."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from modelwright.methods.energy import carbon
from modelwright.methods.energy.accelerator import open_accelerator
from modelwright.methods.energy.carbon import grid_of
from modelwright.methods.energy.settings import Energy
from modelwright.methods.energy.spent import Load


@pytest.mark.parametrize("country", ["CHN", "FRA", "DEU"])
def test_the_grid_of_a_country_is_codecarbons(country: str) -> None:
    from codecarbon.core.emissions import Emissions
    from codecarbon.core.units import Energy as Kilowatthours
    from codecarbon.external.geography import GeoMetadata
    from codecarbon.input import DataSource

    kilograms = Emissions(DataSource()).get_country_emissions(
        Kilowatthours.from_energy(kWh=1.0), GeoMetadata(country_iso_code=country, country_name=country)
    )
    grid = grid_of(Energy(country=country))
    assert grid.grams == pytest.approx(1000 * kilograms, rel=1e-6)
    assert grid.low < grid.grams < grid.high
    assert "CodeCarbon" in grid.source


def test_without_a_country_the_worlds_average_with_wide_bounds() -> None:
    grid = grid_of(Energy())
    assert 400 < grid.grams < 600
    assert grid.low < 50
    assert grid.high > 900
    assert "energy.country is not set" in grid.source


def test_who_knows_better_is_believed() -> None:
    grid = grid_of(Energy(grid=12.0, country="CHN"))
    assert (grid.grams, grid.low, grid.high, grid.source) == (12.0, 12.0, 12.0, "energy.grid of the recipe")


def test_what_nobody_knows_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no country ZZZ" in grid_of(Energy(country="ZZZ")).reason
    monkeypatch.setattr(carbon, "data_file", lambda name: None)
    assert "modelwright[energy]" in grid_of(Energy(country="CHN")).reason
    assert grid_of(Energy()).grams == carbon.WORLD


def load() -> Load:
    return Load(1.0, 1.0, 1.0, 1)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> dict[int, int]:
    """Two made-up devices; the counters are in millijoules."""
    millijoules = {0: 1000, 1: 5000}
    fake = SimpleNamespace(
        NVMLError=RuntimeError,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetTotalEnergyConsumption=lambda handle: millijoules[handle],
    )
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return millijoules


def test_counters_of_devices_are_added_up(driver: dict[int, int]) -> None:
    source = open_accelerator(Energy(), load)
    assert source is not None
    assert source.measured
    driver.update({0: 3000, 1: 15_000})
    spent = source.read()
    assert (spent.joules, spent.low, spent.high) == pytest.approx((12.0, 11.4, 12.6))


def test_only_the_devices_that_this_process_may_use(driver: dict[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    source = open_accelerator(Energy(), load)
    assert source is not None
    driver.update({0: 3000, 1: 15_000})
    assert source.read().joules == pytest.approx(10.0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert open_accelerator(Energy(), load) is None


def test_a_machine_without_a_driver_has_no_such_meter(monkeypatch: pytest.MonkeyPatch, driver: dict[int, int]) -> None:
    def fail() -> None:
        raise RuntimeError("no driver")

    monkeypatch.setattr(sys.modules["pynvml"], "nvmlInit", fail)
    assert open_accelerator(Energy(), load) is None
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert open_accelerator(Energy(), load) is None
