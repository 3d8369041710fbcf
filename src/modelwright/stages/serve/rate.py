"""How often somebody may ask: a bucket of tokens for each, filled at a steady rate.

Source: Turner 1986, "New directions in communications", IEEE Communications Magazine 24(10), the leaky bucket as a meter.
"""

from __future__ import annotations

from collections.abc import Callable

MOST_BUCKETS = 10_000


class Rate:
    """Owns a bucket for everybody who has asked lately."""

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float]) -> None:
        self._per_second, self._burst, self._clock = per_second, float(burst), clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait_seconds(self, who: str) -> float:
        """Take one token and return 0, or return how long until there is one."""
        if not self._per_second:
            return 0.0
        now = self._clock()
        tokens, last = self._buckets.get(who, (self._burst, now))
        tokens = min(self._burst, tokens + max(0.0, now - last) * self._per_second)
        if tokens < 1:
            return (1 - tokens) / self._per_second
        if who not in self._buckets and len(self._buckets) >= MOST_BUCKETS:
            self._forget_full(now)
        self._buckets[who] = (tokens - 1, now)
        return 0.0

    def _forget_full(self, now: float) -> None:
        """Drop the buckets that are full again, else the oldest: memory must not grow with the number of callers."""
        kept = {
            who: (tokens, last)
            for who, (tokens, last) in self._buckets.items()
            if tokens + (now - last) * self._per_second < self._burst
        }
        while len(kept) >= MOST_BUCKETS:
            del kept[next(iter(kept))]
        self._buckets = kept
