"""What the API measures of itself, for Prometheus."""

from __future__ import annotations

import math

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from infra.ports import Backlog

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Measures:
    """Counters of one application."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "mailfold_http_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "mailfold_http_request_seconds",
            "Time to the end of the answer.",
            ("route",),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._lag = Gauge(
            "mailfold_lag_messages", "Received mails not yet judged.", registry=self._registry
        )
        self._queued = Gauge(
            "mailfold_queue_messages", "Mails to other hosts that wait.", registry=self._registry
        )
        self._held = Gauge(
            "mailfold_queue_held_messages",
            "Mails to other hosts that are held back.",
            registry=self._registry,
        )
        self._oldest = Gauge(
            "mailfold_queue_oldest_seconds",
            "Age of the oldest mail to another host that waits.",
            registry=self._registry,
        )
        self.streams = Gauge(
            "mailfold_streams", "Streams of changes now open.", registry=self._registry
        )
        self.pending = Counter(
            "mailfold_commands_pending",
            "Commands answered 202 because their effect took too long.",
            registry=self._registry,
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request; `route` is the pattern, "" when none matched."""
        self._requests.labels(method if route else "", route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self, lag: int, backlog: Backlog | None, now: int) -> bytes:
        """Return all in the text format of Prometheus. `now` is in microseconds.

        Without a `backlog` its measures are NaN: nobody knows.
        """
        self._lag.set(lag)
        if backlog is None:
            for gauge in (self._queued, self._held, self._oldest):
                gauge.set(math.nan)
        else:
            self._queued.set(backlog.depth)
            self._held.set(backlog.held)
            oldest = backlog.oldest_at
            self._oldest.set(max(0.0, (now - oldest) / 1e6) if oldest else 0.0)
        return generate_latest(self._registry)
