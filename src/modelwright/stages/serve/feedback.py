"""What people say of answers and of the model: marked answers, feedback, comments, appeals, and a summary for the report."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from pathlib import Path
from typing import Any

from .refusal import bad
from .store import FILE, Store, state_folder

COMMENT = 2000
KINDS = ("comment", "appeal")
LATEST = 20
RANDOM, INDEX, SEAL = 8, 2, 8


def mark(secret: bytes, label: int) -> str:
    """Return the number of an answer: random, with its label, sealed so that nobody can speak of an answer never given."""
    content = secrets.token_bytes(RANDOM) + label.to_bytes(INDEX, "big")
    return base64.urlsafe_b64encode(content + _seal(secret, content)).decode()


def label_of(secret: bytes, answer: str, classes: list[str]) -> str:
    """Return the label that an answer gave.

    Raises:
        Refused: 400, this server gave no such answer.
    """
    try:
        content = base64.urlsafe_b64decode(answer.encode())
    except ValueError:
        content = b""
    content, seal = content[:-SEAL], content[-SEAL:]
    index = int.from_bytes(content[RANDOM:], "big")
    genuine = len(content) == RANDOM + INDEX and hmac.compare_digest(seal, _seal(secret, content))
    if not genuine or index >= len(classes):
        raise bad("id", "no answer of this server has this id", "the id that came with an answer")
    return classes[index]


def _seal(secret: bytes, content: bytes) -> bytes:
    return hashlib.blake2b(content, key=secret, digest_size=SEAL).digest()


def store_feedback(store: Store, answer: str, label: str, correct: bool, right_label: str, comment: str) -> None:
    """Keep what somebody says of an answer; the last word on each counts."""
    row = (answer, time.time(), label, int(correct), right_label, comment)
    with store.writing() as connection:
        connection.execute("insert or replace into feedback values (?, ?, ?, ?, ?, ?)", row)


def store_comment(store: Store, kind: str, answer: str, name: str, text: str) -> None:
    """Keep a comment on the model, or an appeal against an answer."""
    with store.writing() as connection:
        connection.execute(
            "insert into comments (moment, kind, answer, name, text) values (?, ?, ?, ?, ?)",
            (time.time(), kind, answer, name, text),
        )


def summarise(store: Store) -> dict[str, Any]:
    """Return counts, the share of answers called wrong by label, and the latest words."""
    total, wrong = store.read("select count(*), coalesce(sum(1 - correct), 0) from feedback")[0]
    by_label = store.read(
        "select label, count(*), sum(1 - correct) from feedback group by label order by sum(1 - correct) desc, label"
    )
    latest = store.read(
        "select moment, label, correct, right_label, comment from feedback where comment != '' or correct = 0 "
        "order by moment desc limit ?",
        LATEST,
    )
    comments = store.read("select moment, kind, answer, name, text from comments order by moment desc limit ?", LATEST)
    counts = {str(row[0]): row[1] for row in store.read("select kind, count(*) from comments group by kind")}
    return {
        "answers": total,
        "wrong": wrong,
        "labels": [{"label": label, "answers": count, "wrong": bad_ones} for label, count, bad_ones in by_label],
        "latest": [
            dict(
                zip(
                    ("moment", "label", "right", "right_label", "comment"),
                    (*row[:2], bool(row[2]), *row[3:]),
                    strict=True,
                )
            )
            for row in latest
        ],
        "comments": int(str(counts.get("comment", 0))),
        "appeals": int(str(counts.get("appeal", 0))),
        "latest_comments": [
            dict(zip(("moment", "kind", "answer", "name", "text"), row, strict=True)) for row in comments
        ],
    }


def read_feedback(release: Path, state: Path | None = None) -> dict[str, Any] | None:
    """Return the summary of what was said of a release, or nothing where nobody has served it yet."""
    folder = state or state_folder(release)
    if not (folder / FILE).exists():
        return None
    store = Store(folder)
    try:
        return summarise(store)
    finally:
        store.close()
