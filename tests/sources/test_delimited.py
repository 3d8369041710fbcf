"""List B2 of the fault catalogue: what real delimited files do, and that nothing is dropped without a word."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from modelwright.core.errors import DataError
from modelwright.sources.delimited import CsvSettings, read

ADULT = [
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education_num",
    "marital_status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital_gain",
    "capital_loss",
    "hours_per_week",
    "native_country",
    "income",
]


def load(folder: Path, content: str | bytes, name: str = "t.csv", **settings):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(CsvSettings(path=name, **settings), folder)


def bad(rows) -> dict[str, str]:
    return {one.origin: one.reason for one in rows.quarantined}


def test_columns_types_missing_values_and_origins(tmp_path):
    rows = load(tmp_path, "age,job,label\n31, clerk ,yes\n?,NA,no\n 4e1,,yes\n")
    assert rows.columns == {"age": [31.0, None, 40.0], "job": ["clerk", None, None], "label": ["yes", "no", "yes"]}
    assert list(rows.origins) == ["t.csv:2", "t.csv:3", "t.csv:4"]
    assert (rows.quarantined, rows.parts, list(rows.files)) == ((), None, ["t.csv"])


def test_wrong_column_count_names_the_line(tmp_path):
    rows = load(tmp_path, "a,b\n1,2\n3\n4,5,6\n\n7,8\n")
    assert bad(rows) == {"t.csv:3": "found 1 columns, expected 2", "t.csv:4": "found 3 columns, expected 2"}
    assert list(rows.origins) == ["t.csv:2", "t.csv:6"]


def test_line_numbers_are_physical_with_quoted_newlines(tmp_path):
    rows = load(tmp_path, 'text,label\n"one\ntwo\n\nthree",a\nfour,b\n"x\ny",c,d\nz,e\n')
    assert list(rows.origins) == ["t.csv:2", "t.csv:6", "t.csv:9"]
    assert rows.columns["text"] == ["one\ntwo\n\nthree", "four", "z"]
    assert set(bad(rows)) == {"t.csv:7", "t.csv:8"}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(tmp_path, end):
    rows = load(tmp_path, f'a,b{end}1,x{end}{end}2,"y"{end}', header=True)
    assert rows.columns == {"a": [1.0, 2.0], "b": ["x", "y"]}
    assert list(rows.origins) == ["t.csv:2", "t.csv:4"]


def test_a_stray_quote_does_not_swallow_its_neighbours(tmp_path):
    good = [f"w{at},{at}" for at in range(20)]
    lines = ["t,n", *good[:5], '"never closed,5', *good[5:10], '"quo"te,6', *good[10:], '5" pipe,7']
    rows = load(tmp_path, "\n".join(lines))
    assert len(rows) == 21  # a quote inside an unquoted field is a character
    assert set(bad(rows)) == {"t.csv:7", "t.csv:13"}
    assert "quote" in bad(rows)["t.csv:7"]
    assert rows.columns["t"][-1] == '5" pipe'


def test_quoting_none_takes_quotes_as_they_are(tmp_path):
    rows = load(tmp_path, 'ham\t"open\nspam\tit said "x"\n', quoting="none", names=["label", "text"])
    assert rows.columns == {"text": ['"open', 'it said "x"'], "label": ["ham", "spam"]}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_encodings_are_recognised(tmp_path, encoding):
    content = "review,label\n" + "很快，好吃，味道足,1\n送餐太慢了,0\n" * 5
    rows = load(tmp_path, content.encode(encoding), text=["review"])
    assert rows.columns["text"][:2] == ["很快，好吃，味道足", "送餐太慢了"]
    assert list(rows.columns) == ["text", "label"]


def test_mixed_encodings_quarantine_the_odd_lines_with_byte_and_offset(tmp_path):
    lines = [f"好吃{at},1\n".encode() for at in range(9)]
    content = b"review,label\n" + b"".join(lines) + "太慢,0\n".encode("gb18030") + b"caf\xe9,0\n"
    rows = load(tmp_path, content, text=["review"])
    offset = content.index("太慢".encode("gb18030"))
    assert bad(rows) == {
        # The first two bytes would do as UTF-8 by chance.
        "t.csv:11": f"byte 0xC2 at offset {offset + 2} is not utf-8",
        "t.csv:12": f"byte 0xE9 at offset {content.index(0xE9, offset)} is not utf-8",
    }
    assert len(rows) == 9
    replaced = load(tmp_path, content, text=["review"], errors="replace")
    assert (len(replaced), replaced.columns["text"][-1]) == (11, "caf\ufffd")


def test_a_lone_latin_letter_is_not_taken_for_chinese(tmp_path):
    content = b"t,label\nma\xf1ana,1\n" + b"x,0\n" * 5
    assert bad(load(tmp_path, content)) == {"t.csv:2": "byte 0xF1 at offset 10 is not utf-8"}
    assert load(tmp_path, content, encoding="latin-1").columns["t"][0] == "mañana"
    with pytest.raises(ValueError, match="expected auto or an encoding"):
        CsvSettings(path="t.csv", encoding="klingon")


def test_nul_and_long_fields(tmp_path):
    content = "a,b\n1,x\0y\n2," + "z" * 101 + "\n3,ok\n"
    rows = load(tmp_path, content, max_field=100)
    assert bad(rows) == {"t.csv:2": "a NUL byte in column 2", "t.csv:3": "a field of more than 100 characters"}
    assert rows.columns["b"] == ["ok"]


def test_a_field_of_several_megabytes_with_line_ends_costs_one_row_each(tmp_path):
    content = 'a,b\n1,x\n2,"' + "z" * (2**20 + 1) + '"\n3,y\n'
    rows = load(tmp_path, content)
    assert (bad(rows), rows.columns["b"]) == ({"t.csv:3": "a field of more than 1048576 characters"}, ["x", "y"])


def test_the_csv_module_is_left_as_it_was(tmp_path):
    import csv

    before = csv.field_size_limit()
    load(tmp_path, "a,b\n1,2\n", max_field=7)
    assert csv.field_size_limit() == before


def test_numbers_that_are_not_finite_name_line_and_column(tmp_path):
    rows = load(tmp_path, "age,label\n1,a\n1e309,b\n-inf,c\n2,d\n")
    assert bad(rows) == {
        "t.csv:3": "column age: '1e309' is not a finite number",
        "t.csv:4": "column age: '-inf' is not a finite number",
    }
    assert rows.columns == {"age": [1.0, 2.0], "label": ["a", "d"]}


def test_types_can_be_stated(tmp_path):
    content = "zip,age,born,note,label\n01,1,2020-01-31,NA,a\n02,x1,31.1.2020,,b\n03,1_0,2020-02-03,n,c\n"
    rows = load(tmp_path, content, types={"zip": "category", "age": "number", "born": "date", "note": "text"})
    assert bad(rows) == {
        "t.csv:3": "column age: 'x1' is not a finite number",
        "t.csv:4": "column age: '1_0' is not a finite number",
    }
    assert rows.columns == {"zip": ["01"], "age": [1.0], "born": ["2020-01-31"], "note": ["NA"], "label": ["a"]}
    dates = load(tmp_path, content, types={"born": "date"})
    assert bad(dates) == {"t.csv:3": "column born: '31.1.2020' is not an ISO date"}
    assert dates.columns["age"] == ["1", "1_0"]


def test_repeated_header_is_quarantined(tmp_path):
    rows = load(tmp_path, "age,label\n1,a\nage,label\n2,b\n")
    assert bad(rows) == {"t.csv:3": "repeats the header"}
    assert rows.columns["age"] == [1.0, 2.0]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_found(tmp_path, delimiter):
    content = "\n".join(delimiter.join(row) for row in (["a", "b", "c"], ["1", "u v", "2.5"], ["3", "w", "4"]))
    assert load(tmp_path, content).columns == {"a": [1.0, 3.0], "b": ["u v", "w"], "c": [2.5, 4.0]}


def test_decimal_commas_between_semicolons(tmp_path):
    assert load(tmp_path, "a;b\n1,5;2,5\n3,5;4,5\n").columns == {"a": ["1,5", "3,5"], "b": ["2,5", "4,5"]}


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("age,label\n1,a\n2,b\n", ["age", "label"]),
        ("1,a\n2,b\n", ["column_1", "column_2"]),
        ("spam,hello\nham,hi\nspam,you\n", ["column_1", "column_2"]),
        ("kind,words\nham,hi\nspam,you\n", ["kind", "words"]),
        (",age\n0,5\n1,6\n", ["column_1", "age"]),
    ],
)
def test_header_is_found(tmp_path, content, names):
    assert list(load(tmp_path, content).columns) == names


def test_names_replace_a_stated_header_and_match_their_own(tmp_path):
    assert load(tmp_path, "x,y\n1,2\n", header=True, names=["a", "b"]).columns == {"a": [1.0], "b": [2.0]}
    assert load(tmp_path, "A,B\n1,2\n", names=["a", "b"]).columns == {"a": [1.0], "b": [2.0]}
    assert load(tmp_path, "x,y\n1,2\n", names=["a", "b"]).columns == {"a": ["x", "1"], "b": ["y", "2"]}


def test_skip_comment_and_label_strip(tmp_path):
    content = "made by hand\n# a,b\n1,yes.\n# c\n2,no.\n"
    rows = load(tmp_path, content, skip=1, comment="#", names=["n", "label"], label_strip=".")
    assert rows.columns == {"n": [1.0, 2.0], "label": ["yes", "no"]}
    assert list(rows.origins) == ["t.csv:3", "t.csv:5"]


def test_texts_are_joined_and_rows_without_text_or_label_set_aside(tmp_path):
    content = "id,title,body,y\n1,T,B,a\n2,,B,b\n3,,,a\n4,T,B,\n"
    rows = load(tmp_path, content, text=["title", "body"], label="y", ignore=["id"])
    assert rows.columns == {"text": ["T B", "B"], "label": ["a", "b"]}
    assert bad(rows) == {"t.csv:4": "column title, body: no text", "t.csv:5": "column y: no label"}


def test_parts_share_names_and_types(tmp_path):
    (tmp_path / "a.csv").write_text("n,label\n1,x\n2,y\n")
    (tmp_path / "b.csv").write_text("n,label\nthree,x\n")
    rows = read(CsvSettings(path={"train": "a.csv", "test": "b.csv"}), tmp_path)
    assert rows.columns["n"] == ["1", "2", "three"]
    assert (rows.parts, rows.origins[2]) == (["train", "train", "test"], "b.csv:2")
    (tmp_path / "b.csv").write_text("m,label\n3,x\n")
    with pytest.raises(DataError, match="the columns m, label; expected those of the first file: n, label"):
        read(CsvSettings(path={"train": "a.csv", "test": "b.csv"}), tmp_path)


def test_parts_follow_their_rows_when_some_are_quarantined_and_names_are_equal(tmp_path):
    for part, content in (("one", "n,label\ninf,x\n2,y\n"), ("two", "n,label\n3,x\n")):
        (tmp_path / part).mkdir()
        (tmp_path / part / "d.csv").write_text(content)
    rows = read(CsvSettings(path={"train": "one/d.csv", "test": "two/d.csv"}), tmp_path)
    assert (rows.parts, list(rows.origins)) == (["train", "test"], ["one/d.csv:3", "two/d.csv:2"])
    assert set(rows.files) == {"one/d.csv", "two/d.csv"}


@pytest.mark.parametrize(
    ("content", "settings", "message"),
    [
        ("", {}, "no usable row"),
        ("a,b\n", {"header": True}, "no usable row"),
        ("a,a\n1,2\n", {"header": True}, "the column a is there twice"),
        ("a,b\n1,2\n", {"label": "c"}, "no column 'c'; expected one of a, b"),
        ("a,label\n1,2\n", {"label": "a"}, "ignore: .label."),
        (b"\xff\xfea\0,\0", {"encoding": "utf-8"}, "byte order mark of utf-16-le"),
    ],
)
def test_what_cannot_be_read_at_all(tmp_path, content, settings, message):
    with pytest.raises(DataError, match=message):
        load(tmp_path, content, **settings)


def test_reading_twice_gives_the_same(tmp_path):
    content = 'a,b\n1,2\n"x\n3,inf\n4,5\n\0,7\n'
    assert load(tmp_path, content) == load(tmp_path, content)


def test_every_line_is_a_row_or_in_quarantine(tmp_path):
    """Nothing is dropped in silence: the physical lines of rows, quarantine and header cover the file."""
    content = 'n,t\n1,a\n"2,b\n3,"c"d\n4,e,f\n5\n6,\0\nn,t\n7,g\n1e999,h\n'
    rows = load(tmp_path, content, header=True)
    lines = {int(origin.split(":")[1]) for origin in [*rows.origins, *bad(rows)]}
    assert lines == set(range(2, 11))
    assert len(rows) + len(rows.quarantined) == 9


def test_adult(data):
    path = {"train": "adult/adult.data", "test": "adult/adult.test"}
    settings = CsvSettings(path=path, names=ADULT, label="income", label_strip=".", comment="|", ignore=["fnlwgt"])
    rows = read(settings, data)
    assert (rows.parts.count("train"), rows.parts.count("test"), len(rows.quarantined)) == (32561, 16281, 0)
    train, test = rows.columns["label"][:32561], rows.columns["label"][32561:]
    assert set(train) == set(test) == {"<=50K", ">50K"}
    assert (round(train.count(">50K") / 32561, 3), round(test.count(">50K") / 16281, 3)) == (0.241, 0.236)
    missing = [any(column[at] is None for column in rows.columns.values()) for at in range(len(rows))]
    assert (sum(missing[:32561]), sum(missing[32561:])) == (2399, 1221)
    assert rows.origins[32561] == "adult.test:2"


def test_waimai_and_sms(data):
    waimai = read(CsvSettings(path="zh_waimai_10k/waimai_10k.csv", text=["review"]), data)
    assert Counter(waimai.columns["label"]) == {"0": 7987, "1": 4000}
    assert not waimai.quarantined
    sms = CsvSettings(path="sms_spam/SMSSpamCollection", names=["label", "sms"], text=["sms"])
    rows = read(sms.model_copy(update={"quoting": "none"}), data)
    assert (Counter(rows.columns["label"]), rows.quarantined) == ({"ham": 4827, "spam": 747}, ())
    quoted = read(sms, data)
    assert len(quoted) + len(quoted.quarantined) == 5574  # other readers merge lines and say nothing
