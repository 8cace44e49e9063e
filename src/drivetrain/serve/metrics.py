"""What is counted, and its text in the OpenMetrics and the Prometheus format.

https://prometheus.io/docs/specs/om/open_metrics_spec. No label holds a text from a client: routes
are patterns, an unknown column is ``_OTHER``, so the number of series is bounded.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
OTHER = "_OTHER"
VERSION = 12  # characters of a content hash, as in the header x-model-version
BOUNDS_S = (
    5e-05, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
    2.5, 5.0, 10.0,
)  # fmt: skip


class Counts(msgspec.Struct):
    """All numbers of one process; those of several add up."""

    requests: dict[str, int] = {}  # "route method status" -> requests
    latency: dict[str, list[float]] = {}  # route -> requests in each bucket, then seconds
    errors: dict[str, int] = {}  # code -> requests
    predictions: dict[str, int] = {}  # version -> requests
    failures: dict[str, int] = {}  # version -> requests that its model was asked and did not answer
    seconds: dict[str, float] = {}  # version -> of its model's own work
    breaches: dict[str, int] = {}  # "breach column" -> cells
    totals: dict[str, int] = {}  # rows, logged, dropped, refused, late, shadows dropped
    gauges: dict[str, float] = {}
    models: list[tuple[str, str, str, str]] = []  # name, version, content hash, role


class Metrics:
    """Counts requests as they are answered. Used on the event loop only."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str, int], int] = {}
        self._latency: dict[str, list[float]] = {}
        self._versions: Counter[str] = Counter()

    def observe(self, route: str, method: str, status: int, seconds: float, version: str) -> None:
        """Count one answered request; ``version`` is that of the model, if one answered."""
        key = route, method, status
        self._series[key] = self._series.get(key, 0) + 1
        buckets = self._latency.get(route)
        if buckets is None:
            buckets = self._latency[route] = [0.0] * (len(BOUNDS_S) + 2)
        buckets[bisect_left(BOUNDS_S, seconds)] += 1
        buckets[-1] += seconds
        if version:
            self._versions[version] += 1

    def counts(self, service: Any, gauges: Mapping[str, float]) -> Counts:
        """Take all numbers of this process."""
        log, tallies = service.log, list(service.tallies.items())
        breaches: Counter[str] = Counter()
        for (column, breach), cells in list(service.breaches.items()):
            name = OTHER if breach == "extra_column" else column
            breaches[f"{breach} {name}"] += cells
        return Counts(
            requests={f"{r} {m} {s}": number for (r, m, s), number in self._series.items()},
            latency={route: list(buckets) for route, buckets in self._latency.items()},
            errors=dict(service.errors),
            predictions=dict(self._versions),
            failures={name[:VERSION]: t.failed for name, t in tallies},
            seconds={name[:VERSION]: t.seconds for name, t in tallies},
            breaches=dict(breaches),
            totals={
                "rows": service.rows,
                "log_rows": getattr(log, "rows", 0),
                "log_dropped_rows": getattr(log, "dropped", 0),
                "shadow_dropped_rows": getattr(service.shadow, "dropped", 0),
            },
            gauges=dict(gauges),
            models=[
                (served.name, served.version, served.model.manifest.content_hash, role)
                for served, role in service.models()
            ],
        )


def merged(parts: Iterable[Counts]) -> Counts:
    """Add the numbers of several processes."""
    whole = Counts()
    for part in parts:
        for field in (
            "requests",
            "errors",
            "predictions",
            "failures",
            "seconds",
            "breaches",
            "totals",
            "gauges",
        ):
            into = getattr(whole, field)
            for key, number in getattr(part, field).items():
                into[key] = into.get(key, 0) + number
        for route, buckets in part.latency.items():
            known = whole.latency.get(route, [0.0] * len(buckets))
            whole.latency[route] = [a + b for a, b in zip(known, buckets, strict=True)]
        whole.models = sorted({*whole.models, *part.models})
    return whole


def render(counts: Counts, *, is_open: bool) -> bytes:
    """Write the numbers: OpenMetrics if ``is_open``, else Prometheus' older text."""
    text = _Text(is_open)
    text.counter("requests", "Requests answered, by route, method and status.")
    for key, number in sorted(counts.requests.items()):
        route, method, status = key.rsplit(" ", 2)
        text.sample("requests_total", number, route=route, method=method, status=status)
    text.family("request_duration_seconds", "histogram", "From headers read to answer.", "seconds")
    for route, buckets in sorted(counts.latency.items()):
        text.histogram("request_duration_seconds", buckets, route=route)
    text.counter("errors", "Requests refused or failed, by the error's code.")
    for code, number in sorted(counts.errors.items()):
        text.sample("errors_total", number, code=code)
    text.counter("predictions", "Requests answered by each model.")
    for version, number in sorted(counts.predictions.items()):
        text.sample("predictions_total", number, version=version)
    text.counter("model_failures", "Requests that a model was asked and did not answer.")
    for version, number in sorted(counts.failures.items()):
        text.sample("model_failures_total", number, version=version)
    text.counter("model_seconds", "Time of each model's own work on what it answered.")
    for version, seconds in sorted(counts.seconds.items()):
        text.sample("model_seconds_total", seconds, version=version)
    text.counter("contract_breaches", "Cells that breached the Contract and passed.")
    for key, number in sorted(counts.breaches.items()):
        breach, _, column = key.partition(" ")
        text.sample("contract_breaches_total", number, column=column, breach=breach)
    for name, number in sorted(counts.totals.items()):
        text.counter(name, f"{name.replace('_', ' ').capitalize()} so far.")
        text.sample(f"{name}_total", number)
    for name, value in sorted(counts.gauges.items()):
        text.family(name, "gauge", f"{name.replace('_', ' ').capitalize()} now.")
        text.sample(name, value)
    text.info("model", "The models that are served.")
    for name, version, content_hash, role in counts.models:
        labels = {"name": name, "version": version, "content_hash": content_hash, "role": role}
        text.sample("model_info", 1, **labels)
    return text.bytes()


class _Text:
    """Lines of one exposition."""

    def __init__(self, is_open: bool) -> None:
        self._is_open = is_open
        self._lines: list[str] = []

    def counter(self, name: str, told: str) -> None:
        """Begin a family of counters; only the older text has ``_total`` in its name."""
        self.family(name if self._is_open else f"{name}_total", "counter", told)

    def info(self, name: str, told: str) -> None:
        """Begin a family of facts."""
        kind = "info" if self._is_open else "gauge"
        self.family(name if self._is_open else f"{name}_info", kind, told)

    def family(self, name: str, kind: str, told: str, unit: str = "") -> None:
        """Begin a family."""
        self._lines.append(f"# TYPE drivetrain_{name} {kind}")
        if unit and self._is_open:
            self._lines.append(f"# UNIT drivetrain_{name} {unit}")
        self._lines.append(f"# HELP drivetrain_{name} {told}")

    def sample(self, name: str, value: float, /, **labels: str) -> None:
        """Write one number."""
        joined = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        braces = f"{{{joined}}}" if joined else ""
        shown = str(int(value)) if float(value).is_integer() else repr(float(value))
        self._lines.append(f"drivetrain_{name}{braces} {shown}")

    def histogram(self, name: str, buckets: Sequence[float], /, **labels: str) -> None:
        """Write buckets, which a reader wants cumulated."""
        count = 0.0
        for bound, number in zip((*map(str, BOUNDS_S), "+Inf"), buckets[:-1], strict=True):
            count += number
            self.sample(f"{name}_bucket", count, **labels, le=bound)
        self.sample(f"{name}_sum", buckets[-1], **labels)
        self.sample(f"{name}_count", count, **labels)

    def bytes(self) -> bytes:
        """Return the whole text."""
        end = ["# EOF"] if self._is_open else []
        return "\n".join([*self._lines, *end, ""]).encode("utf-8", "replace")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
