"""Six ways in which an audit of fairness goes wrong without anybody noticing, each reported.

List J of the plan for reliability.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_audit_fairness import audit_in, found_in, write_table

from modelwright.core.errors import DataError, GateFailed, RecipeError
from modelwright.core.run import Run

GAP = "fairness[sex][equalised_odds_difference]"


def test_1_one_number_for_everybody_is_no_check_of_fairness(tmp_path: Path) -> None:
    """The habit: print accuracy and recall over all rows and call it a check of bias.

    Such an audit, that splits by nobody, has no claim of fairness, and a gate that asks for one fails.
    """
    gates = ["accuracy.value >= 0.5", f"{GAP}.upper_bound <= 0.9"]
    with pytest.raises(GateFailed, match=r"there is no evidence called 'fairness\[sex\]\[equalised_odds_difference\]'"):
        audit_in(tmp_path, None, columns=[], release__gates=gates)


def test_2_labels_turned_round_for_one_group(tmp_path: Path) -> None:
    """The group's own numbers fall, the others' stay, and the gap says so."""
    write_table(tmp_path / "right.csv")
    write_table(tmp_path / "wrong.csv", flipped=True)

    def tested_on(name: str, until: str | None = "audit", **edits: Any) -> Run:
        return audit_in(tmp_path, until, data__path={"train": "table.csv", "test": f"{name}.csv"}, **edits)

    right, wrong = (found_in(tested_on(name))[0] for name in ("right", "wrong"))
    assert right["fairness[sex=woman][accuracy]"].low > 0.5 > wrong["fairness[sex=woman][accuracy]"].high
    assert wrong["fairness[sex=man][accuracy]"].value == right["fairness[sex=man][accuracy]"].value
    for gap in ("accuracy_difference", "equalised_odds_difference"):
        assert wrong[f"fairness[sex][{gap}]"].low > right[f"fairness[sex][{gap}]"].high
    # A gate on the gap tells the two apart.
    gates = [f"{GAP}.upper_bound <= 0.4"]
    tested_on("right", None, release__gates=gates)
    with pytest.raises(
        GateFailed, match=r"equalised_odds_difference\]\.upper_bound <= 0\.4' does not hold: found 0\.8"
    ):
        tested_on("wrong", None, release__gates=gates)


@pytest.mark.parametrize("how", ["dropped", "renamed"])
def test_3_the_column_of_the_group_is_gone(tmp_path: Path, how: str) -> None:
    write_table(tmp_path / "table.csv")
    lines = [line.split(",") for line in (tmp_path / "table.csv").read_text().splitlines()]
    at = lines[0].index("sex")
    for number, line in enumerate(lines):
        if how == "dropped":
            del line[at]
        elif not number:
            line[at] = "gender"
    (tmp_path / "table.csv").write_text("\n".join(",".join(line) for line in lines) + "\n")
    with pytest.raises((DataError, RecipeError), match="there is no column 'sex'") as caught:
        audit_in(tmp_path, task__ignore=["age", "origin"])
    assert caught.value.problems[0].where == "audit.fairness.columns"
    assert "merit" in caught.value.problems[0].expected


def test_4_a_group_of_three_rows(tmp_path: Path) -> None:
    """It is named, nothing is claimed of it, and the gap is one of those who can be compared."""
    write_table(tmp_path / "table.csv", few=8)
    claims, summary = found_in(audit_in(tmp_path))
    (compared,) = summary["comparisons"]
    (small,) = [group for group in compared["groups"] if group["name"] == "sex=other"]
    assert 1 <= small["rows"] <= 8
    item = claims["fairness[sex=other][tpr]"]
    assert (item.status, item.value) == ("not_applicable", None)
    assert f"{small['rows']} rows, fewer than 30: too few to judge" in item.reason
    assert compared["left_out"] == ["sex=other"]
    assert claims[GAP].status == "measured"
    assert "too small to compare: sex=other" in claims[GAP].method


def test_5_a_group_without_positives(tmp_path: Path) -> None:
    """Its true positive rate does not exist; a gap that needs it is none, and no zero either."""
    write_table(tmp_path / "table.csv", few=500)
    claims, _ = found_in(audit_in(tmp_path))
    item = claims["fairness[sex=other][tpr]"]
    assert item.status == "not_applicable"
    assert item.reason == "no row of this group is truly favourable"
    assert claims["fairness[sex=other][fpr]"].status == "measured"


def test_6_only_one_group_is_left(tmp_path: Path) -> None:
    write_table(tmp_path / "table.csv")
    text = (tmp_path / "table.csv").read_text().replace(",woman,", ",man,")
    (tmp_path / "table.csv").write_text(text)
    claims, summary = found_in(audit_in(tmp_path))
    assert claims[GAP].status == "not_applicable"
    assert "nobody to compare with" in claims[GAP].reason
    assert summary["comparisons"][0]["gaps"] == {}
    with pytest.raises(GateFailed, match="nobody to compare with"):
        audit_in(tmp_path, None, release__gates=[f"{GAP}.upper_bound <= 1"])


def test_every_kind_of_the_list_has_its_test() -> None:
    numbers = {int(name.split("_")[1]) for name in globals() if name.startswith("test_") and name[5].isdigit()}
    assert numbers == set(range(1, 7))
