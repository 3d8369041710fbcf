"""Contents that are nearly the same: texts by the pieces they share, pictures by how they look from afar.

Legend: N examples, W bits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from modelwright.core.errors import MissingExtra

PIECE, PIECE_OF_HAN = 5, 3
HAN = re.compile("[\u3400-\u9fff]")
PERMUTATIONS = 128
SIDE, KEPT = 32, 8
# Pictures that are compared with all later ones at once.
SLICE = 256


def pieces_of(text: str) -> set[str]:
    """Return the pieces of a text, casefolded and without blanks: of five letters, or of three where most are Chinese characters.

    A text shorter than that is its own only piece.

    Source: Broder 1997, On the resemblance and containment of documents, section 2.
    """
    squeezed = "".join(text.casefold().split())
    size = PIECE_OF_HAN if 2 * len(HAN.findall(squeezed)) > len(squeezed) else PIECE
    return {squeezed[start : start + size] for start in range(max(1, len(squeezed) - size + 1))}


def near_texts(texts: Sequence[str], similarity: float, seed: int) -> Iterator[tuple[int, int, float]]:
    """Yield (i, j, resemblance) of pairs i < j of texts that share at least `similarity` of their pieces.

    Candidates are found by MinHash and locality-sensitive hashing, then the true resemblance decides.

    Raises:
        MissingExtra: rensa is not installed.
    Source: Broder 1997, equation 1; Leskovec, Rajaraman and Ullman 2020, Mining of massive datasets, section 3.4.
    """
    try:
        from rensa import RMinHash, RMinHashLSH
    except ImportError:
        raise MissingExtra(
            "near duplicates of texts need the package rensa",
            where="prepare.clean",
            expected="rensa",
            next_step="pip install 'modelwright[data]'",
        ) from None
    pieces = [pieces_of(text) for text in texts]
    index = RMinHashLSH(threshold=similarity, num_perm=PERMUTATIONS, num_bands=bands_for(similarity))
    hashes = []
    for row, own in enumerate(pieces):
        minhash = RMinHash(num_perm=PERMUTATIONS, seed=seed % 2**32)
        minhash.update(sorted(own))
        index.insert(row, minhash)
        hashes.append(minhash)
    for row, minhash in enumerate(hashes):
        for other in sorted(set(index.query(minhash))):
            if other > row:
                resemblance = len(pieces[row] & pieces[other]) / len(pieces[row] | pieces[other])
                if resemblance >= similarity:
                    yield row, other, resemblance


def bands_for(similarity: float) -> int:
    """Return into how many bands the permutations are cut, so that pairs above the similarity are missed in less than 1 %.

    Source: Leskovec, Rajaraman and Ullman 2020, section 3.4.2: a pair is found with probability 1 - (1 - s^r)^b.
    """
    found = [
        bands
        for bands in (2, 4, 8, 16, 32, 64, 128)
        if 1 - (1 - similarity ** (PERMUTATIONS // bands)) ** bands >= 0.99
    ]
    return found[0] if found else 128


def perceptual_hash(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return 64 bits of how a picture looks from afar: the signs of its slowest waves about their median.

    Shapes: image (height, width, channels) uint8 -> (64,) bool
    Source: Zauner 2010, Implementation and benchmarking of perceptual image hash functions, section 3.2.1.
    """
    from PIL import Image
    from scipy.fft import dctn

    grey = image.mean(axis=2) if image.shape[2] != 1 else image[:, :, 0]
    small = Image.fromarray(grey.astype(np.uint8)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    waves = dctn(np.asarray(small, dtype=np.float64), norm="ortho")[:KEPT, :KEPT].ravel()
    # The first wave is the brightness, which says nothing of the picture.
    return np.concatenate([[False], waves[1:] > np.median(waves[1:])])


def near_images(images: Sequence[NDArray[np.uint8]], similarity: float) -> Iterator[tuple[int, int, float]]:
    """Yield (i, j, share of equal bits) of pairs i < j of pictures whose hashes agree in at least `similarity` of the bits.

    Every pair is compared, a slice of rows at a time: 60,000 pictures are 1.8 billion pairs of one machine word each.

    Source: Zauner 2010, section 3.3 (bit error rate); Hamming 1950, section 6.
    """
    if not len(images):
        return
    hashes_NW = np.array([perceptual_hash(image) for image in images])
    words_N = np.packbits(hashes_NW, axis=1).view(np.uint64).ravel()
    most = int((1 - similarity) * hashes_NW.shape[1] + 1e-9)
    for start in range(0, len(words_N), SLICE):
        unequal = np.bitwise_count(words_N[start : start + SLICE, None] ^ words_N[None, start:])
        for here, there in np.argwhere(unequal <= most):
            if there > here:
                yield start + int(here), start + int(there), 1 - int(unequal[here, there]) / hashes_NW.shape[1]
