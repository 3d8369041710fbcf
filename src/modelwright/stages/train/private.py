"""What a private training claims: epsilon never without delta, and what neither of them covers."""

from __future__ import annotations

from typing import Any

from ...core.evidence import Evidence

SOURCE = "Abadi et al. 2016; Gopi, Lee and Wutschitz 2021"
COVERED = (
    "covers what the weights tell of one training example more or less; does not cover preprocessing (scaling, vocabulary), "
    "reported losses, or the validation part"
)


def private_claims(record: dict[str, Any], about: dict[str, str]) -> list[Evidence]:
    """Return the claims of a private training; none of an ordinary one."""
    spent = record.get("privacy")
    if not spent:
        return []
    n = spent["examples"]
    method = describe(spent)
    change = spent["weights_change"]
    return [
        Evidence(
            "epsilon",
            spent["epsilon"],
            high=spent["epsilon_begun"],
            n=n,
            about=about,
            method=method,
            source=SOURCE,
        ),
        Evidence("delta", spent["delta"], n=n, about=about, method=f"as asked for, below 1 / {n} training examples"),
        Evidence(
            "noise_multiplier", spent["noise"], about=about, method="noise on the sum of gradients, in units of clip"
        ),
        Evidence(
            "sampling_rate", spent["rate"], about=about, method=f"expected batch of {spent['batch']} over {n} examples"
        ),
        Evidence(
            "weights_change",
            change["norm"],
            about=about,
            method=f"norm of kept weights less first weights, whose norm was {change['of']:.4g}",
            status="measured" if change["norm"] > 0 else "failed",
            reason="" if change["norm"] > 0 else "the weights are those that training began with",
        ),
    ]


def describe(spent: dict[str, Any]) -> str:
    """Say under which delta, and by whom, an epsilon was counted."""
    again = spent["begun"] - spent["steps"]
    counted = f"PRV accountant of opacus {spent['versions']['opacus']}, an upper bound"
    checked = f"PLD accountant of dp-accounting {spent['versions']['dp-accounting']}: {spent['epsilon_checked']:.4g}"
    repeated = (
        f"; {again} steps were taken again after an interruption, and the upper bound counts them" if again else ""
    )
    return (
        f"at delta {spent['delta']:g}; DP-SGD with Poisson sampling at rate {spent['rate']:.4g}, noise {spent['noise']:.4g} times "
        f"clip {spent['clip']:g}, {spent['steps']} steps{repeated}; {counted}; {checked}; {COVERED}"
    )
