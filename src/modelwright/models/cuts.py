"""How the layers inside a block of a model are cut over processes: data beside the models. Torch-free.

Source: Shoeybi et al. 2019 (Megatron-LM), section 3: first by columns, then by rows, so that one sum is enough for both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

COLUMNS, ROWS = "columns", "rows"


def cut_decoder() -> tuple[Mapping[str, str], Sequence[str]]:
    """Return the cuts of a decoder's block; norms of queries and keys see the heads of one process each."""
    cuts = {
        "attention.query": COLUMNS,
        "attention.key": COLUMNS,
        "attention.value": COLUMNS,
        "attention.output": ROWS,
        "feed.gate": COLUMNS,
        "feed.up": COLUMNS,
        "feed.down": ROWS,
    }
    return cuts, ("attention.query_norm.weight", "attention.key_norm.weight")


def cut_transformer() -> tuple[Mapping[str, str], Sequence[str]]:
    """Return the cuts of a block of the classifier; its attention, whose projections are one matrix, stays whole."""
    return {"feed.0": COLUMNS, "feed.2": ROWS}, ()
