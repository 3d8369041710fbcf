"""What people said of the served model: counts, the share of answers called wrong, the latest words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .quantities import count, moment, share

WORDS = {
    "Feedback": "反馈",
    "What people who used the served model said of its answers; it is no measurement, nobody drew them at random.": (
        "使用该服务的人对回答的评价；这不是测量，评价者并非随机抽取。"
    ),
    "answers judged": "被评价的回答",
    "called wrong": "被指为错误",
    "comments": "意见",
    "appeals": "申诉",
    "Label": "标签",
    "Judged": "评价数",
    "Wrong": "错误数",
    "Latest words": "最近的话",
    "answered {label}": "回答为 {label}",
    "right would be {label}": "正确应为 {label}",
    "comment": "意见",
    "appeal": "申诉",
    "on answer {answer}": "针对回答 {answer}",
}


@dataclass(frozen=True)
class Word:
    """One thing that somebody said."""

    when: str
    kind: str
    label: str
    right_label: str
    answer: str
    name: str
    text: str


@dataclass(frozen=True)
class Feedback:
    """What the section on feedback shows."""

    judged: str
    wrong: str
    wrong_share: str
    comments: str
    appeals: str
    labels: tuple[tuple[str, str, str, str], ...]
    words: tuple[Word, ...]


def view_feedback(summary: dict[str, Any]) -> Feedback | None:
    """Return what people said, or nothing where nobody said anything."""
    if not summary or not (summary["answers"] or summary["latest_comments"]):
        return None
    judged = [
        Word(moment(item["moment"]), "answer", item["label"], item["right_label"], "", "", item["comment"])
        for item in summary["latest"]
    ]
    said = [
        Word(moment(item["moment"]), item["kind"], "", "", item["answer"], item["name"], item["text"])
        for item in summary["latest_comments"]
    ]
    return Feedback(
        judged=count(summary["answers"]),
        wrong=count(summary["wrong"]),
        wrong_share=share(summary["wrong"], summary["answers"]),
        comments=count(summary["comments"]),
        appeals=count(summary["appeals"]),
        labels=tuple(
            (item["label"], count(item["answers"]), count(item["wrong"]), share(item["wrong"], item["answers"]))
            for item in summary["labels"]
        ),
        words=tuple(sorted([*judged, *said], key=lambda word: word.when, reverse=True)[:20]),
    )
