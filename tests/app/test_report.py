"""The report page: it says what the run says, in two languages, and nothing in a run can make it do more."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest
from report_runs import HOSTILE, PIXEL, STAGES, RunMaker, build, prepared, trained

from modelwright.app.report import bilingual
from modelwright.app.report.examples import PICTURE_BYTES
from modelwright.app.report.page import write_report
from modelwright.core.artifact import find
from modelwright.core.errors import DataError
from modelwright.core.journal import Journal
from modelwright.core.run import Run

# Names of methods and measures that Chinese texts use as they are.
SAME_IN_BOTH = ("F1", "Grad-CAM", "t-SNE", "UMAP", "{seconds} · CPU {cpu}")


def page_of(run: Run) -> str:
    return write_report(run).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return page_of(build(tmp_path_factory.mktemp("runs") / "pets"))


class Outline(HTMLParser):
    """State: the elements that are open, all attributes seen, and the text."""

    EMPTY = {"meta", "img", "br", "hr", "input", "link"}

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1:] == [tag], f"</{tag}> closes <{self.open[-1] if self.open else ''}> at {self.getpos()}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.text += data


def check_sound(page: str) -> Outline:
    """Every page, however little its run has: balanced, self-contained, ids that exist, one h1, no foreign script."""
    outline = Outline(page)
    assert outline.open == []
    names = [tag for tag, _ in outline.elements]
    assert (
        names.count("h1"),
        names.count("title") >= 1,
        names.count("main"),
        names.count("script"),
        names.count("link"),
    ) == (1, True, 1, 1, 0)
    identifiers = [attributes["id"] for _, attributes in outline.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    for tag, attributes in outline.elements:
        for name in ("aria-labelledby", "aria-describedby"):
            assert attributes.get(name, identifiers[0]) in identifiers, f"{tag} {name}={attributes.get(name)}"
        assert (attributes.get("href") or "#").removeprefix("#") in (*identifiers, ""), attributes
        assert (attributes.get("src") or "data:image/").startswith("data:image/")
        assert not [name for name in attributes if name.startswith("on")]
    assert not re.search(r"@import|url\(|https?://", page)
    assert page.count('class="en"') == page.count('class="zh"') > 10
    return outline


def test_the_numbers_of_the_evidence_stand_on_the_page(page: str) -> None:
    text = check_sound(page).text
    for number in (
        "0.7321",
        "0.7123 – 0.7501",
        "0.6162",
        "0.8384",
        "0.01235",
        "0.4242",
        "0.3131 – 0.535",
        "0.7071",
        "0.6061 – 0.8081",
        "72\u202f842",
        "12\u202f945",
        "285.3 KiB",
        "8.166 s",
    ):
        assert number in text, number
    for found in (
        "0.1235 %",
        "98.77 %",
        "n = 400",
        "0.3333",
        "most frequent class",
        "0.5151",
        "0.4747",
        "percentile bootstrap, 1000 resamples",
        "kept: step 20",
        "34.5 %",
        "ab" * 32,
    ):
        assert found in text, found


def test_hostile_text_stays_text(page: str) -> None:
    outline = check_sound(page)
    assert "<script>alert" not in page
    assert outline.text.count(HOSTILE) > 10
    assert "onload" not in page


def test_only_true_pictures_of_the_evaluation_are_embedded(page: str) -> None:
    pictures = [attributes for tag, attributes in Outline(page).elements if tag == "img"]
    assert len(pictures) == 1
    assert (pictures[0]["src"] or "").startswith("data:image/png;base64,iVBOR")
    assert page.count("The picture is missing or too large") == 2


def test_pictures_stop_when_the_page_would_get_too_heavy(tmp_path: Path) -> None:
    run = build(tmp_path / "pets", "train")
    made = object.__new__(RunMaker)
    made.run, made.journal, made.outputs = run, Journal(run.folder / "journal.jsonl", run.witness), {}
    big = PIXEL + bytes(PICTURE_BYTES // 2)
    worst = [{"image": name, "target": "a", "answer": "b"} for name in ("a.png", "b.png", "c.png")]
    made.stage(
        "evaluate", {"evaluation": {"summary.json": {"worst": worst}, "a.png": big, "b.png": big, "c.png": PIXEL}}, []
    )
    page = page_of(run)
    assert page.count("data:image/png") == 2
    assert len(page) < 1_500_000


@pytest.mark.parametrize(
    ("until", "there", "not_there"),
    [
        ("prepare", ["data", "lineage", "recipe", "journal"], ["training", "metrics", "confusion", "worst"]),
        ("train", ["data", "training"], ["metrics", "confusion", "worst"]),
        ("evaluate", ["metrics", "confusion", "reliability", "classes", "worst"], []),
        ("release", ["gates", "metrics", "confusion", "reliability", "classes", "worst"], []),
    ],
)
def test_a_run_that_came_so_far_gives_a_sound_page(
    tmp_path: Path, until: str, there: list[str], not_there: list[str]
) -> None:
    outline = check_sound(page_of(build(tmp_path / "pets", until)))
    sections = {attributes.get("id") for tag, attributes in outline.elements if tag == "section"}
    assert set(there) <= sections
    assert not set(not_there) & sections
    assert ("Released" in outline.text) == (until == "release")
    assert ("0.8765" in outline.text) == (until != "prepare")


def test_an_empty_run_gives_a_page_and_no_run_an_error(tmp_path: Path) -> None:
    made = RunMaker(tmp_path / "pets", {"version": 1, "name": "pets"})
    text = check_sound(page_of(made.run)).text
    assert "Nothing was measured yet" in text
    assert "No release asked for" in text
    with pytest.raises(DataError, match="no run here"):
        write_report(Run(tmp_path))


def test_an_evaluation_without_classes_gives_a_page(tmp_path: Path) -> None:
    nothing = {"classes": [], "confusion": [], "reliability": [], "worst": [], "folds": [], "floors": []}
    sections = {
        attributes.get("id")
        for tag, attributes in check_sound(page_of(build(tmp_path / "pets", "evaluate", **nothing))).elements
        if tag == "section"
    }
    assert "metrics" in sections
    assert not {"confusion", "reliability", "classes", "worst"} & sections


def test_many_classes_are_listed_and_not_drawn(tmp_path: Path) -> None:
    number = 80
    table = [
        [int(here == there) * 5 + int(there == (here + 1) % number) for there in range(number)]
        for here in range(number)
    ]
    page = page_of(
        build(tmp_path / "pets", "evaluate", classes=[f"class {index}" for index in range(number)], confusion=table)
    )
    assert "Too many classes for a matrix" in check_sound(page).text
    assert '<table class="confusion' not in page


def test_a_refusal_is_the_loudest_thing(tmp_path: Path) -> None:
    run = build(tmp_path / "pets", "evaluate")
    journal = Journal(run.folder / "journal.jsonl", run.witness)
    made = object.__new__(RunMaker)
    made.run, made.journal, made.outputs = run, journal, {"model": run.current()["train"].outputs["model"]}
    made.judge(True, False)
    journal.append("stage failed", stage="release", key="k", reason="gate does not hold")
    outline = check_sound(page_of(run))
    first = next(attributes for tag, attributes in outline.elements if tag == "section")
    assert first["class"] == "refusal"
    assert "1 of 2 gates do not hold. No release was made." in outline.text
    assert "there is no evidence called 'latency'" in outline.text
    # The next sitting makes it good.
    made.judge(True, True)
    made.stage("release", {"release": {"digests.json": {}}}, [])
    journal.append("run finished")
    text = check_sound(page_of(run)).text
    assert "Release refused" not in text
    assert "2 of 2 gates hold" in text


def test_a_refusal_of_an_older_model_is_told_apart(tmp_path: Path) -> None:
    made = RunMaker(tmp_path / "pets")
    prepared(made)
    trained(made)
    made.outputs["model"], model = "f" * 64, made.outputs["model"]
    made.judge(False, False)
    made.outputs["model"] = model
    text = check_sound(page_of(made.run)).text
    assert "These gates were judged on another model, ffffffffffff." in text
    assert "Release refused" not in text


def test_a_stage_that_stopped_and_odd_events_are_told(tmp_path: Path) -> None:
    run = build(tmp_path / "pets", "prepare")
    journal = Journal(run.folder / "journal.jsonl", run.witness)
    for event, data in [
        ("checkpoint damaged", {"reason": HOSTILE}),
        ("training resumed", {"step": 1234}),
        ("test part opened", {"model": "a" * 64, "dataset": "b" * 64}),
        ("rows in two parts", {"between_parts": 3, "policy": "drop"}),
        ("torn record removed", {"bytes": 17}),
        ("something new", {"value": HOSTILE}),
        ("stage failed", {"stage": "train", "key": "k", "reason": f"KeyError {HOSTILE}"}),
    ]:
        journal.append(event, **data)
    text = check_sound(page_of(run)).text
    for found in (
        "Not finished",
        "after step 1\u202f234",
        "Test part opened for model aaaaaaaaaaaa",
        "Damaged checkpoint found",
        "17 bytes",
        "something new",
        "KeyError <script>",
    ):
        assert found in text, found


def test_damage_is_named_on_top_and_the_rest_still_shown(tmp_path: Path) -> None:
    run = build(tmp_path / "pets")
    journal = run.folder / "journal.jsonl"
    journal.write_text(journal.read_text().replace("it is torn", "it is whole"))
    evaluation = find(run.shelf, "evaluation", run.current()["evaluate"].outputs["evaluation"])
    (evaluation.path / "summary.json").write_text("{")
    outline = check_sound(page_of(run))
    assert "record 3 ('row quarantined') was changed" in outline.text
    assert "the file is not JSON" in outline.text
    assert "0.7321" in outline.text


def test_every_fixed_word_has_both_languages() -> None:
    folder = files("modelwright.app.report")
    said = set(re.findall(r"""say\("([^"]+)\"""", (folder / "page.html").read_text()))
    said |= {
        word
        for pair in re.findall(
            r"""\{\{ heading\("\w+", "([^"]+)", "([^"]+)"\) \}\}""", (folder / "page.html").read_text()
        )
        for word in pair
    }
    said |= set(re.findall(r"""\("\w+", "([^"]+)", \w""", (folder / "page.html").read_text()))
    for source in Path(str(folder)).glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if (
                isinstance(node, ast.Call)
                and getattr(node.func, "id", "") == "say"
                and isinstance(node.args[0], ast.Constant)
            ):
                said.add(node.args[0].value)
    said |= {*STAGES, "dataset", "model", "predictions", "evaluation", "test", "validation", "Training", "Validation"}
    assert len(said) > 90
    assert said - set(bilingual.CHINESE) == set()
    words = {**bilingual.CHINESE, **dict(bilingual.MEASURES.values()), **dict(bilingual.UNITS.values())}
    for english, chinese in words.items():
        assert re.search(r"[\u4e00-\u9fff]", chinese) or english in SAME_IN_BOTH, english
        assert set(re.findall(r"\{\w+\}", english)) == set(re.findall(r"\{\w+\}", chinese)), english


def test_the_template_has_no_word_in_one_language_only() -> None:
    template = (files("modelwright.app.report") / "page.html").read_text()
    bare = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", template, flags=re.S)
    left = set(re.findall(r"[A-Za-z]{2,}", Outline(bare).text))
    assert left <= {"modelwright", "SHA", "UTC", "EN"}, left


def test_torch_is_not_imported(tmp_path: Path) -> None:
    build(tmp_path / "pets")
    code = """
import sys
from pathlib import Path
from modelwright.app.report.page import write_report
from modelwright.core.run import Run
write_report(Run(Path(sys.argv[1])))
print(sorted({"torch", "numpy", "sklearn", "PIL"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "pets")], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr
