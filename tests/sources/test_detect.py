from __future__ import annotations

import io
import json

import pytest
from PIL import Image

from modelwright.core.errors import DataError
from modelwright.sources import delimited, jsonl, textfile
from modelwright.sources.detect import detect
from modelwright.sources.idx import IdxSettings
from modelwright.sources.images import ImagesSettings

SETTINGS = {
    "csv": delimited.CsvSettings,
    "text": textfile.TextFileSettings,
    "jsonl": jsonl.JsonlSettings,
    "idx": IdxSettings,
    "images": ImagesSettings,
}


@pytest.mark.parametrize(
    ("path", "task", "expected"),
    [
        ("mnist", "image", {"kind": "idx"}),
        ("cifar10_folder", "image", {"kind": "images"}),
        ("ag_news/test.csv", "text", {"kind": "csv", "label": "column_1", "text": ["column_2", "column_3"]}),
        ("ag_news/sub5k", "text", {"kind": "csv", "label": "column_2", "text": ["column_1"]}),
        ("trec6/TREC.train.all", "text", {"kind": "text"}),
        ("sms_spam/SMSSpamCollection", "text", {"kind": "text"}),
        ("zh_waimai_10k/waimai_10k.csv", "text", {"kind": "csv", "label": "label", "text": ["review"]}),
        ("zh_thucnews_titles/dev.txt", "text", {"kind": "text"}),
        ("zh_novels", "language", {"kind": "text", "label": "none"}),
        ("tinyshakespeare/input.txt", "language", {"kind": "text", "label": "none"}),
        ("law_school/law_school_clean.csv", "tabular", {"kind": "csv", "label": "pass_bar"}),
        ("german_credit/german.csv", "tabular", {"kind": "csv", "label": "column_21"}),
        ("mammography/mammography.csv", "tabular", {"kind": "csv", "label": "column_7"}),
    ],
)
def test_real_sets(data, path, task, expected):
    guess = detect(data / path)
    assert guess["task"] == task
    found = dict(guess["source"])
    found.pop("path")
    assert found == expected
    SETTINGS[guess["source"]["kind"]].model_validate(guess["source"])


def test_jsonl_folders_of_texts_and_images(tmp_path):
    lines = [json.dumps({"words": f"this is a long enough sentence {at}", "target": at % 2}) for at in range(9)]
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    guess = detect(tmp_path / "t.jsonl")
    assert (guess["task"], guess["source"]["label"], guess["source"]["text"]) == ("text", "target", ["words"])
    stream = io.BytesIO()
    Image.new("L", (2, 2)).save(stream, "PNG")
    for name, content in {"texts/a/1.txt": b"x", "texts/b/1.txt": b"y", "images/a/1.png": stream.getvalue()}.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(content)
    assert detect(tmp_path / "texts")["task"] == "text"
    assert detect(tmp_path / "images")["source"]["kind"] == "images"
    with pytest.raises(DataError, match="nothing is there"):
        detect(tmp_path / "absent")
