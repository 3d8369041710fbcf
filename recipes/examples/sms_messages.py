"""Write the SMS spam collection as conversations, one a line: the question what a message is, and its label as the answer.

    python recipes/examples/sms_messages.py SMSSpamCollection sms_messages.jsonl

Messages that are the same but for case, blanks, digits and punctuation get the same group.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

QUESTION = "Is this text message spam or ham? Answer with one word."


def conversation_of(line: str) -> dict[str, object]:
    """Return the conversation that a line `label<tab>text` becomes."""
    label, text = line.split("\t", 1)
    messages = [
        {"role": "system", "content": QUESTION},
        {"role": "user", "content": text.strip()},
        {"role": "assistant", "content": label},
    ]
    # What is not a letter does not tell two messages of one sender apart; what has no letters is its own group.
    return {"messages": messages, "group": re.sub(r"[\W\d_]+", "", text.casefold()) or text.strip()}


def main(source: Path, target: Path) -> int:
    """Write all lines of a file; return how many there were."""
    lines = [line for line in source.read_text(encoding="utf-8").split("\n") if line]
    target.write_text(
        "".join(json.dumps(conversation_of(line), ensure_ascii=False) + "\n" for line in lines), encoding="utf-8"
    )
    return len(lines)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.stderr.write(f"{main(Path(sys.argv[1]), Path(sys.argv[2]))} conversations\n")
