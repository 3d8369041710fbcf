"""The profile on the report: every column with its picture, in both languages, and nothing of a stranger's text as markup."""

from __future__ import annotations

import re
from pathlib import Path

from report_runs import HOSTILE, RunMaker, prepared
from test_report import check_sound, page_of

from modelwright.app.report import profile_words
from modelwright.app.report.bilingual import CHINESE
from modelwright.app.report.profile import view_profile

NUMBER = {
    "name": HOSTILE, "kind": "number", "measured": "value", "missing": {"train": 2, "test": 0}, "distinct": 7,
    "numbers": {"least": 0.0, "median": 2.0, "most": 4.0, "mean": 2.0, "deviation": 1.0},
    "edges": [0.0, 2.0, 4.0], "histogram": {"train": [3, 5], "test": [4, 0]},
    "drift": {"test": {"distance": 0.625, "chance": 1e-6}}, "personal": {}, "named": False,
}  # fmt: skip
CATEGORY = {
    "name": "email", "kind": "category", "measured": "", "missing": {"train": 0, "test": 0}, "distinct": 2,
    "values": [[HOSTILE, {"train": 5, "test": 2}], ["", {"train": 3, "test": 2}]],
    "drift": {"test": {"distance": 0.125, "chance": 0.5}}, "personal": {"email": 4}, "named": True,
}  # fmt: skip
PROFILE = {
    "rows": {"train": 8, "test": 4},
    "columns": [NUMBER, CATEGORY],
    "classes": {"number": 2, "most": "a", "least": HOSTILE, "ratio": 3.0},
    "duplicates": 3,
    "relations": {"columns": ["a", HOSTILE], "strength": [[1.0, -0.5], [-0.5, 1.0]]},
    "personal": {"rows": 4, "kinds": {"email": 4}, "first": [["a.csv:7", "email"]]},
    "pictures": {},
}


def made(folder: Path, profile: dict[str, object]) -> RunMaker:
    maker = RunMaker(folder)
    prepared(maker)
    maker.stage("prepare", {"dataset": {"profile.json": profile, "datasheet.json": {}}}, [])
    return maker


def test_everything_that_was_found_stands_on_the_page(tmp_path: Path) -> None:
    html = page_of(made(tmp_path / "run", PROFILE).run)
    outline = check_sound(html)
    for text in (
        "Rows with personal data: 4", "含个人数据的行：4", "a.csv:7", "2 (16.7 %)",
        "0.6250 (", "a drift", "有漂移", "2 classes", "Rows whose content an earlier row has: 3", "-0.50",
        "by its name, this column tells who somebody is",
    ):  # fmt: skip
        assert text in outline.text, text
    assert "<script>alert" not in html.replace("&lt;script&gt;", "")
    assert html.count('class="profile-test"') == 2


def test_a_distance_within_chance_is_no_drift_and_a_clean_sheet_says_so(tmp_path: Path) -> None:
    clean = {**PROFILE, "columns": [CATEGORY], "personal": {"rows": 0, "kinds": {}, "first": []}, "duplicates": 0}
    view = view_profile(clean)
    assert view is not None
    assert view.columns[0].drifts == (("test", "0.1250", False),)
    outline = check_sound(page_of(made(tmp_path / "run", clean).run))
    assert "No personal data was found by pattern" in outline.text
    assert "Every row is there once." in outline.text


def test_a_run_without_a_profile_has_no_section(tmp_path: Path) -> None:
    maker = RunMaker(tmp_path / "run")
    prepared(maker)
    assert 'id="profile"' not in page_of(maker.run)
    assert view_profile({}) is None


def test_every_word_of_the_template_has_chinese(repository: Path) -> None:
    page = (repository / "src/modelwright/app/report/page.html").read_text()
    section = page[page.index('id="profile"') :]
    section = section[: section.index("</section>")]
    said = set(re.findall(r'say\("([^"]+)"', section))
    assert said <= set(CHINESE)
    assert set(profile_words.PROFILE) <= set(CHINESE)
