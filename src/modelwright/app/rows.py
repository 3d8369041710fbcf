"""The live table of a stage that reports in rows, such as the trials of a search."""

from __future__ import annotations

from typing import Any

from .words import say

# As many rows as leave room for the rest of the screen; the last ones are shown.
SHOWN = 12
# Of these cells the words are ours, and have a translation.
WORDS = ("state",)


class Rows:
    """State: the rows of the present stage, by their first cell."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, str]] = {}

    def put(self, row: dict[str, str]) -> None:
        """Add a row, or put it in the place of the one with the same first cell."""
        self._rows[next(iter(row.values()))] = row

    def take(self) -> Any:
        """Return the whole table, to be written for good, and begin anew; nothing where there was none."""
        table = self._table(list(self._rows.values())) if self._rows else None
        self._rows = {}
        return table

    def __rich__(self) -> Any:
        """Return what rich shall draw: the last rows."""
        return self._table(list(self._rows.values())[-SHOWN:]) if self._rows else ""

    def _table(self, rows: list[dict[str, str]]) -> Any:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in rows[0]:
            table.add_column(say(column), overflow="fold", no_wrap=False)
        for row in rows:
            cells = [say(cell) if column in WORDS else cell for column, cell in row.items()]
            # Text, because a setting such as `[16]` would be taken for markup.
            table.add_row(*map(Text, cells))
        return table
