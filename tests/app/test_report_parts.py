"""The small parts of the report page: numbers as they are written, axes, and colours that can be read."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from modelwright.app.report import quantities
from modelwright.app.report.axis import linear_axis, loss_axis


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0.97327, "0.9733"),
        (0.99999, "1.000"),
        (12.5, "12.50"),
        (0.000077251, "7.725 × 10⁻⁵"),
        (0, "0"),
        (-0.5, "-0.5000"),
    ],
)
def test_numbers_have_four_significant_digits(number: float, shown: str) -> None:
    assert quantities.significant(number) == shown


def test_units_and_shares() -> None:
    assert quantities.quantity(292192, "bytes") == "285.3 KiB"
    assert quantities.quantity(200, "seconds") == "3 min 20 s"
    assert quantities.quantity(72842, "parameters") == "72\u202f842"
    assert quantities.bounds(0.01905, 0.0036, 0.025) == "0.00360 – 0.02500"
    assert (quantities.percent(0.95), quantities.percent(0.00077251), quantities.share(1, 3)) == (
        "95 %",
        "0.07725 %",
        "33.3 %",
    )


@pytest.mark.parametrize(
    ("low", "high"), [(0.9571, 1.0), (0.0, 0.0031), (3.0, 3.0), (0.5, 0.5 + 1e-13), (-2.0, 7.5), (120.0, 98765.0)]
)
def test_a_linear_axis_covers_its_values_with_few_round_ticks(low: float, high: float) -> None:
    axis = linear_axis(low, high)
    assert axis.low <= low <= high <= axis.high
    assert 3 <= len(axis.ticks) <= 8
    assert 0 <= axis.at(low) <= axis.at(high) <= 100
    assert len({axis.label(tick) for tick in axis.ticks}) == len(axis.ticks)


def test_losses_over_decades_get_a_logarithmic_axis() -> None:
    axis = loss_axis([2.3, 0.01])
    assert axis.logarithmic
    assert axis.low <= 0.01 < 2.3 <= axis.high
    assert axis.at(0.1) - axis.at(0.01) == pytest.approx(axis.at(1.0) - axis.at(0.1), abs=0.01)
    assert not loss_axis([2.3, 0.0]).logarithmic


def test_colours_have_the_contrast_that_reading_needs() -> None:
    """WCAG 2.2, success criterion 1.4.3: at least 4.5 to 1 for text, in both palettes."""
    style = (files("modelwright.app.report") / "style.css").read_text()
    palettes = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in re.findall(r"--paper:[^}]*", style)]
    assert len(palettes) == 3
    assert palettes[1] == palettes[2]
    pairs = [(ink, paper) for ink in ("ink", "soft", "accent", "bad") for paper in ("paper", "surface", "track")]
    pairs += [
        ("accent-ink", "accent"),
        ("warn", "warn-wash"),
        ("bad", "bad-wash"),
        ("ink", "bad-wash"),
        ("accent", "accent-wash"),
    ]
    for palette in palettes:
        for ink, paper in pairs:
            assert _contrast(palette[ink], palette[paper]) >= 4.5, (ink, paper, palette[ink], palette[paper])
        # Cells of the matrix: ink on the strongest mix of heat and surface.
        for heat in ("heat", "heat-off"):
            share = float(re.search(r"--heat-most: (\d+)%", style.split(palette["heat"])[1])[1]) / 100  # type: ignore[index]
            assert _contrast(palette["ink"], _mixed(palette[heat], palette["surface"], share)) >= 4.5, (
                heat,
                palette[heat],
            )
    assert _contrast("#b3261e", "#ffffff") >= 4.5


def _channels(colour: str) -> list[int]:
    return [int(colour[start : start + 2], 16) for start in (1, 3, 5)]


def _mixed(one: str, other: str, share: float) -> str:
    pairs = zip(_channels(one), _channels(other), strict=True)
    return "#" + "".join(f"{round(share * here + (1 - share) * there):02x}" for here, there in pairs)


def _contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        linear = [
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
            for part in (value / 255 for value in _channels(colour))
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
