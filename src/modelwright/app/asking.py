"""The verb `label`: the rows that a person should label next."""

from __future__ import annotations

import csv
import io
import sys
from argparse import Namespace
from typing import Any


def label(options: Namespace) -> dict[str, Any]:
    """Choose rows of a pool, print them, and write them as a table on demand."""
    from ..core import registry
    from ..core.files import write_bytes

    if options.dry_run:
        return {"pool": options.pool, "rows": options.rows, "by": options.by}
    rows = registry.function_of("action", "choose_rows")(options.run, options.pool, options.rows, options.by)
    for row in rows:
        line = f"{row['row']:<32} {row['score']:<10.4g} {row['label']:<16} {row['probability']:.4f}"
        print(line, file=sys.stderr if options.json else sys.stdout)
    if options.out:
        table = io.StringIO()
        writer = csv.DictWriter(table, ["row", "score", "guess", "probability", "label"], lineterminator="\n")
        writer.writeheader()
        # The guess is no label: who fills the table in decides.
        writer.writerows(
            {
                "row": row["row"],
                "score": row["score"],
                "guess": row["label"],
                "probability": row["probability"],
                "label": "",
            }
            for row in rows
        )
        write_bytes(options.out, table.getvalue().encode())
    return {"rows": rows}
