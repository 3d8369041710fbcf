"""A surrogate tree as questions and answers that people can read."""

from __future__ import annotations

from typing import Any

import numpy as np


def rules_of(tree: Any, names: list[tuple[str, str]], classes: list[str]) -> list[dict[str, Any]]:
    """Return the tree line by line, depth first: a question, and where it ends the answer with its share and its rows.

    A feature that is either there or not has two names, for both answers; a number has one and is compared.

    Source: Quinlan 1987, Simplifying decision trees, section 5 (rules from trees).
    """
    nodes, lines = tree.tree_, list[dict[str, Any]]()
    waiting = [(0, 0, "")]
    while waiting:
        node, depth, question = waiting.pop()
        line: dict[str, Any] = {"depth": depth, "question": question, "rows": int(nodes.n_node_samples[node])}
        left, right = int(nodes.children_left[node]), int(nodes.children_right[node])
        if left < 0:
            shares = nodes.value[node][0]
            best = int(np.argmax(shares))
            line |= {"answer": classes[int(tree.classes_[best])], "share": float(shares[best] / shares.sum())}
        else:
            low, high = _questions(names[int(nodes.feature[node])], float(nodes.threshold[node]))
            waiting += [(right, depth + 1, high), (left, depth + 1, low)]
        if question or left < 0:
            lines.append(line)
    return lines


def _questions(name: tuple[str, str], threshold: float) -> tuple[str, str]:
    absent, present = name
    return (absent, present) if absent else (f"{present} <= {threshold:.4g}", f"{present} > {threshold:.4g}")
