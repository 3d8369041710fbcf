"""Write the SMS spam collection as pairs of answers, one a line: what a message is, and the wrong one of the two labels.

    python recipes/examples/sms_preferences.py SMSSpamCollection sms_preferences.jsonl

The messages and their groups are those of sms_messages.py beside this file. As many lines are spam as are not: the first of
each, so that they are few enough to be learnt from in minutes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from sms_messages import conversation_of  # noqa: E402

OTHER = {"spam": "ham", "ham": "spam"}
EACH = 300


def pair_of(line: str) -> dict[str, Any]:
    """Return the pair that a line `label<tab>text` becomes."""
    made: dict[str, Any] = conversation_of(line)
    *prompt, answer = made["messages"]
    rejected = {**answer, "content": OTHER[answer["content"]]}
    return {"prompt": prompt, "chosen": [answer], "rejected": [rejected], "group": made["group"]}


def main(source: Path, target: Path) -> int:
    """Write as many lines of each label; return how many there were."""
    lines = [line for line in source.read_text(encoding="utf-8").split("\n") if line]
    kept = [line for label in OTHER for line in [line for line in lines if line.startswith(f"{label}\t")][:EACH]]
    target.write_text("".join(json.dumps(pair_of(line), ensure_ascii=False) + "\n" for line in kept), encoding="utf-8")
    return len(kept)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.stderr.write(f"{main(Path(sys.argv[1]), Path(sys.argv[2]))} pairs\n")
