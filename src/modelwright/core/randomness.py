"""Every random number comes from here: a seed for each purpose, derived from the recipe's one seed."""

from __future__ import annotations

import hashlib


def derive_seed(seed: int, purpose: str, *numbers: int) -> int:
    """Return a 63-bit seed for (seed, purpose, numbers such as step and rank); equal input, equal seed, on every machine."""
    text = "/".join([str(seed), purpose, *map(str, numbers)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
