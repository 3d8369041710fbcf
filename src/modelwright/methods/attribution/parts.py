"""Into what parts a picture or a text is cut, so that one can be hidden at a time."""

from __future__ import annotations

import re

import numpy as np

# Words, or single characters of scripts without spaces.
PART = re.compile(r"[㐀-鿿豈-﫿぀-ヿ]|[^\W㐀-鿿豈-﫿぀-ヿ]+")


def boxes(height: int, width: int, side: int) -> list[tuple[int, int, int, int]]:
    """Return top, left, bottom and right of the patches of a picture, `side` of them along each edge or one a pixel.

    Source: Zeiler and Fergus 2014, Visualizing and understanding convolutional networks, section 4.2, without overlap.
    """
    edges = [np.linspace(0, length, min(side, length) + 1).astype(int).tolist() for length in (height, width)]
    return [
        (top, left, bottom, right)
        for top, bottom in zip(edges[0], edges[0][1:], strict=False)
        for left, right in zip(edges[1], edges[1][1:], strict=False)
    ]


def spans(text: str, most: int) -> list[tuple[int, int]]:
    """Return start and end of the words of a text, neighbours together where there are more than `most`.

    Source: Li, Monroe and Jurafsky 2016, Understanding neural networks through representation erasure, section 2.
    """
    found = [match.span() for match in PART.finditer(text)]
    return [(found[first][0], found[last - 1][1]) for first, last in runs(len(found), most)]


def runs(count: int, most: int) -> list[tuple[int, int]]:
    """Return the ends of at most `most` runs of neighbours, the last of which may be shorter.

    Source: Li, Monroe and Jurafsky 2016, Understanding neural networks through representation erasure, section 2.
    """
    together = -(-count // most) or 1
    return [(first, min(first + together, count)) for first in range(0, count, together)]
