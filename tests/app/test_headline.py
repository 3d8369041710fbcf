"""What a command prints when it has run: no epsilon without delta, no group's own rate, nothing that does not exist."""

from __future__ import annotations

from modelwright.app.headline import headline
from modelwright.core.evidence import Evidence, not_applicable


def lines(*claims: Evidence) -> list[str]:
    return headline({item.name: item for item in claims})


GAP = Evidence("fairness[sex*age][equalised_odds_difference]", 0.25, low=0.125, high=0.5)


def test_gaps_are_printed_and_the_rates_of_groups_are_not() -> None:
    rate = Evidence("fairness[sex=woman][tpr]", 0.5, low=0.25, high=0.75)
    ratio = Evidence("fairness[sex][demographic_parity_ratio]", 0.5, low=0.25, high=0.75)
    assert lines(rate, GAP, ratio) == ["fairness[sex*age][equalised_odds_difference] 0.2500  [0.1250, 0.5000]"]
    assert lines(not_applicable(GAP.name, "nobody to compare with")) == []


def test_epsilon_stands_beside_its_delta_and_what_was_proved() -> None:
    epsilon, delta = Evidence("epsilon", 1.5, high=1.75), Evidence("delta", 1e-5)
    assert lines(epsilon) == []
    assert lines(epsilon, delta) == ["epsilon                    1.7500  delta 1e-05"]
    proved = Evidence("epsilon_lower_bound", 0.5, low=0.5, n=1000)
    assert lines(epsilon, delta, proved)[1] == "epsilon_lower_bound        0.5000  delta 1e-05, 1000 canaries"
    assert len(lines(epsilon, delta, not_applicable("epsilon_lower_bound", "no claim"))) == 1


def test_accuracy_comes_first() -> None:
    accuracy = Evidence("accuracy", 0.75, low=0.5, high=1.0)
    assert [line.split()[0] for line in lines(GAP, accuracy)] == ["accuracy", GAP.name]
