"""Every page is true: its commands run and print what the page shows, its recipes validate, its links lead somewhere,
and its translation is of the present text.

How a page is read. Blocks marked `bash`, `python` and `yaml` are run in order in a folder that holds `recipes/` and one
finished run of `recipes/digits.yaml`. A bash line may end in `# exit code 7`. A `text` block right under a bash block
is what that block prints: each of its lines must be among those printed, where numbers may differ and `...` stands for
anything. A block whose first line is `# name.py` or `# name.yaml` is kept as that file. Entry points in a `toml` block
are made known to the Python that runs the page. Lines that install are not run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
from stamp import ROOT, STAMP, english_of, renew, stamp_of, translations

from modelwright.core import errors

SECONDS = 120
BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
MENTION = re.compile(r"`((?:tests|src|recipes|benchmarks|docs)/[\w./-]+)(?:::(\w+))?`")
EXIT_CODE = re.compile(r"\s+# exit code (\d+)$")
FILE_NAME = re.compile(r"# ([\w-]+\.(?:py|yaml))\n")
NUMBER = re.compile(r"[0-9a-f]{16,}|\d+(?:\.\d+)?")
RUN = "modelwright run recipes/digits.yaml"

FENCE = re.compile(r"^```(bash|python|yaml|toml)$", re.MULTILINE)


def english_pages(folder: Path) -> list[Path]:
    return sorted(page for page in folder.rglob("*.md") if not page.name.endswith(".zh.md"))


ENGLISH = [ROOT / "README.md", *english_pages(ROOT / "docs")]
EVERY = [*ENGLISH, *translations(), ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
RUNNING = [page for page in ENGLISH if FENCE.search(page.read_text(encoding="utf-8"))]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Workplace:
    """A folder with recipes and one finished run, and what the command that made the run printed."""

    folder: Path
    printed: str


def environment(folder: Path) -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    python_path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")]))
    fixed = {"LC_ALL": "C.UTF-8", "NO_COLOR": "1", "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    return {**os.environ, **fixed, "PATH": path, "PYTHONPATH": python_path}


def call(command: list[str], folder: Path) -> tuple[int, str]:
    """Run a command; return its exit code and everything it printed."""
    done = subprocess.run(
        command, cwd=folder, env=environment(folder), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, encoding="utf-8", timeout=SECONDS, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """One run of the digits recipe, from which every page starts."""
    folder = tmp_path_factory.mktemp("docs") / "finished"
    shutil.copytree(ROOT / "recipes", folder / "recipes")
    code, printed = call(["bash", "-c", RUN], folder)
    assert code == 0, printed
    return Workplace(folder, printed)


@pytest.mark.parametrize("page", RUNNING, ids=name_of)
def test_page_runs(page, finished, tmp_path):
    """Every block of an English page does what the page says."""
    work = Workplace(tmp_path / "work", finished.printed)
    shutil.copytree(finished.folder, work.folder)
    printed, end = None, 0
    text = page.read_text(encoding="utf-8")
    for block in BLOCK.finditer(text):
        beneath = not text[end : block.start()].strip()
        if block["language"] == "text" and beneath and printed is not None:
            must_show(block["code"], printed)
        printed = run_block(block["language"], block["code"], work)
        end = block.end()


def run_block(language: str, code: str, work: Workplace) -> str | None:
    """Do what a block asks for; return what its commands printed."""
    named = FILE_NAME.match(code)
    if named:
        (work.folder / named[1]).write_text(code, encoding="utf-8")
    if language == "bash":
        return "".join(run_line(line, work) for line in code.splitlines() if line and not line.startswith("#"))
    if language == "python":
        path = work.folder / (named[1] if named else "page.py")
        path.write_text(code, encoding="utf-8")
        exit_code, printed = call([sys.executable, path.name], work.folder)
        assert exit_code == 0, f"{code}\n{printed}"
    elif language == "yaml" and re.search(r"^version:", code, re.MULTILINE):
        path = work.folder / (named[1] if named else "page.yaml")
        path.write_text(code, encoding="utf-8")
        run_line(f"modelwright check {path.name}", work)
    elif language == "toml":
        install_entry_points(code, work.folder)
    return None


def run_line(line: str, work: Workplace) -> str:
    """Run one line of a bash block; it must end with the exit code that the page states."""
    stated = EXIT_CODE.search(line)
    command = EXIT_CODE.sub("", line)
    if command.startswith(("make ", "pip install ", "git clone ")):
        check_install_line(command)
        return ""
    if command == RUN:
        return work.printed
    if command.startswith("openssl") and shutil.which("openssl") is None:
        pytest.skip("this machine has no openssl")
    code, printed = call(["bash", "-c", command], work.folder)
    assert code == (int(stated[1]) if stated else 0), f"{line}\nexit code {code}\n{printed}"
    return printed


def check_install_line(command: str) -> None:
    """Lines that install are not run, but what they name must exist."""
    words = command.split()
    if words[0] == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert words[1] in targets, f"the Makefile has no target '{words[1]}'"
    for extras in re.findall(r"\[([\w,]+)\]", command):
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert set(extras.split(",")) <= set(project["optional-dependencies"]), command


def install_entry_points(code: str, folder: Path) -> None:
    """Make the entry points of a `pyproject.toml` known, as installing that project would."""
    project = tomllib.loads(code)["project"]
    place = folder / f"{project['name'].replace('-', '_')}-0.dist-info"
    place.mkdir()
    (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0\n")
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {address}" for name, address in points.items())]
    (place / "entry_points.txt").write_text("\n".join(lines) + "\n")


def must_show(shown: str, printed: str) -> None:
    """Each line that a page shows must be among those printed."""
    lines = {squeeze(line) for line in printed.splitlines()}
    for line in filter(None, map(squeeze, shown.splitlines())):
        pattern = ".*".join(map(re.escape, line.split("...")))
        assert any(re.fullmatch(pattern, found) for found in lines), (
            f"the page shows\n  {line}\nbut this was printed\n{printed}"
        )


def squeeze(line: str) -> str:
    """Write a line without what may differ between machines: numbers, digests and padding."""
    return " ".join(NUMBER.sub("#", line).split())


@pytest.mark.parametrize("page", EVERY, ids=name_of)
def test_links_and_mentions_exist(page):
    """Links between pages, and every file or test that a page names, exist."""
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        if not target.startswith(("http:", "https:", "#")):
            assert (page.parent / target.partition("#")[0]).exists(), f"{name_of(page)} links to {target}"
    for path, function in MENTION.findall(text):
        assert (ROOT / path).exists(), f"{name_of(page)} names {path}"
        assert not function or f"def {function}(" in (ROOT / path).read_text(encoding="utf-8"), (
            f"{path} has no {function}"
        )


@pytest.mark.parametrize("page", translations(), ids=name_of)
def test_translation_is_of_the_present_text(page):
    """A Chinese page carries the digest of the English one. Translate what changed, then run tests/docs/stamp.py."""
    stamp = STAMP.search(page.read_text(encoding="utf-8"))
    assert stamp is not None, f"{name_of(page)} has no stamp"
    assert stamp[0].strip() == stamp_of(english_of(page)), (
        f"{name_of(english_of(page))} was changed since it was translated"
    )


@pytest.mark.parametrize("page", translations(), ids=name_of)
def test_translation_has_the_same_blocks_and_headings(page):
    """Code is not translated, and nothing is left out."""
    chinese, english = page.read_text(encoding="utf-8"), english_of(page).read_text(encoding="utf-8")
    assert [block[0] for block in BLOCK.finditer(chinese)] == [block[0] for block in BLOCK.finditer(english)]
    levels = [re.findall(r"^#+(?= )", BLOCK.sub("", text), re.MULTILINE) for text in (chinese, english)]
    assert levels[0] == levels[1]


def test_every_guide_is_translated():
    """The README and each guide have a Chinese page beside them."""
    pages = [ROOT / "README.md", *english_pages(ROOT / "docs" / "guides")]
    assert {page.with_suffix(".zh.md") for page in pages} <= set(translations())


def test_decisions_are_numbered_without_gaps():
    """Every decision says in three paragraphs what led to it, what was decided and what follows."""
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert re.findall(r"^## (\w+)", text, re.MULTILINE) == ["Context", "Decision", "Consequence"], name_of(page)


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "README.zh.md"], ids=name_of)
def test_readme_states_every_exit_code(page):
    """The table of exit codes is the one of the program."""
    table = {int(code) for code in re.findall(r"^\| (\d+) \|", page.read_text(encoding="utf-8"), re.MULTILINE)}
    families = [
        family
        for family in vars(errors).values()
        if isinstance(family, type) and issubclass(family, errors.ModelwrightError)
    ]
    assert table == {0, *(family.exit_code for family in families)}


def test_checker_notices_what_is_wrong(tmp_path):
    """Wrong exit codes, outputs, targets and stale stamps are found."""
    work = Workplace(tmp_path, "")
    for wrong in ("false", "true  # exit code 7", "make castles", "pip install 'modelwright[castles]'"):
        with pytest.raises(AssertionError):
            run_block("bash", wrong, work)
    with pytest.raises(AssertionError):
        run_block("python", "assert False", work)
    with pytest.raises(AssertionError):
        run_block("yaml", "version: 2", work)
    must_show("accuracy 0.9733 ...", run_line("echo 'accuracy   0.9512  [0.9, 1.0]'", work))
    with pytest.raises(AssertionError):
        must_show("accuracy 0.9733", "precision 0.9733")
    (tmp_path / "page.md").write_text("first\n")
    (tmp_path / "page.zh.md").write_text("第一\n")
    assert renew(tmp_path / "page.zh.md")
    assert not renew(tmp_path / "page.zh.md")
    (tmp_path / "page.md").write_text("second\n")
    assert renew(tmp_path / "page.zh.md")
