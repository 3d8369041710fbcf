"""What a server says of itself: Prometheus metrics, and the latencies and counts that are its evidence."""

from __future__ import annotations

from collections import Counter as Tally
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from ...core.evidence import Evidence
from ...core.metering import Meter, settings_of

if TYPE_CHECKING:
    from ...engine.batching import Batcher

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# Latencies that the quantiles are of: the latest ones.
REMEMBERED = 20_000


class Measures:
    """Owns the metrics of one server and the latest latencies of answers."""

    def __init__(self, model: str, version: str) -> None:
        disable_created_metrics()
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "modelwright_requests",
            "Requests by route, method and status.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "modelwright_request_seconds", "Seconds from the head of a request to the end of its answer.", ("route",),
            buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        self._gauges = {
            name: Gauge(f"modelwright_{name}", text, registry=self.registry)
            for name, text in {
                "ready": "Whether requests are answered: 1 or 0.",
                "queue_requests": "Requests that wait for the model.",
                "example_seconds": "Seconds that an example takes the model, running mean.",
                "energy_joules": "Energy drawn since the server started; an estimate where the machine has no counter.",
            }.items()
        }
        self._counted = {
            name: Counter(f"modelwright_{name}", text, registry=self.registry)
            for name, text in {
                "batches": "Batches computed.",
                "examples": "Examples computed.",
                "refused": "Requests refused because the queue was full.",
                "expired": "Requests whose deadline passed.",
                "abandoned": "Requests whose client went away before they were begun.",
                "failed": "Requests on which the model failed.",
            }.items()
        }
        Gauge("modelwright_model_info", "The model served.", ("name", "version"), registry=self.registry).labels(
            model, version
        ).set(1)
        self._children: dict[tuple[str, str, int], Any] = {}
        self._meter = Meter(settings_of({}))
        self._latencies: deque[float] = deque(maxlen=REMEMBERED)
        self._before: Tally[str] = Tally()
        self.statuses: Tally[str] = Tally()

    def finished(self, route: str, method: str, status: int, seconds: float, answer: bool) -> None:
        """Note one request; `answer` says whether it asked the model."""
        key = (route, method, status)
        child = self._children.get(key)
        if child is None:
            child = (self._requests.labels(route, method, str(status)), self._seconds.labels(route))
            self._children[key] = child
        child[0].inc()
        child[1].observe(seconds)
        self.statuses[str(status)] += 1
        if answer and status == 200:
            self._latencies.append(seconds)

    def text(self, batcher: Batcher, ready: bool) -> bytes:
        """Return the Prometheus text."""
        self._gauges["ready"].set(ready)
        self._gauges["queue_requests"].set(batcher.depth)
        self._gauges["example_seconds"].set(batcher.seconds_of_example)
        self._gauges["energy_joules"].set(self._meter.read().joules)
        for name, counter in self._counted.items():
            now = getattr(batcher.counts, name)
            counter.inc(now - self._before[name])
            self._before[name] = now
        return generate_latest(self.registry)

    def summary(self, batcher: Batcher, model: str, seconds: float) -> dict[str, Any]:
        """Return the evidence of serving: latencies, and what became of the requests."""
        claims = [
            Evidence(
                f"serving_latency_p{share}",
                float(np.quantile(self._latencies, share / 100)),
                unit="seconds",
                n=len(self._latencies),
                method=f"the latest {REMEMBERED} answers at most, from the head of the request to the end of the answer",
                about={"model": model},
            )
            for share in (50, 99)
            if self._latencies
        ]
        examples = batcher.counts.examples
        what = f"all that the server drew in {seconds:.0f} s, waiting included, over {examples} examples"
        if examples:
            drawn = self._meter.read()
            claims.append(self._meter.energy("serving_energy_per_example", drawn, examples, {"model": model}, what))
        return {
            "seconds": round(seconds, 3),
            "requests": sum(self.statuses.values()),
            "statuses": dict(sorted(self.statuses.items())),
            "model": dict(vars(batcher.counts)),
            "evidence": [claim.to_json() for claim in claims],
        }
