"""Tell others of a breach: a webhook, a file of metrics for Prometheus."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from drivetrain import __version__
from drivetrain.core.errors import ResourceError, SettingError
from drivetrain.core.files import write_file
from drivetrain.monitor.watched import WatchReport

TIMEOUT_S = 10.0


def check_webhook(url: str) -> str:
    """Return the URL if it is one of HTTP.

    Raises
    ------
    SettingError
        If it is not.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise SettingError(
            where="setting 'webhook'",
            expected="an http:// or https:// address",
            got=f"'{parts.scheme}:…'",
            remedy="Correct --webhook.",
            code="DT2D6",
        )
    return url


def alert(url: str, report: WatchReport) -> None:
    """Post a breach as JSON: ``text`` for people (Slack and its kin show it), the findings beside.

    Raises
    ------
    ResourceError
        If it does not arrive.
    """
    errors = [finding for finding in report.findings if finding.severity == "error"]
    body = {
        "text": f"drivetrain: {report.model}: " + " ".join(finding.what for finding in errors),
        "model": report.model,
        "content_hash": report.content_hash,
        "breach": report.breach,
        "findings": report.findings,
    }
    request = urllib.request.Request(
        check_webhook(url),
        data=msgspec.json.encode(body),
        headers={"Content-Type": "application/json", "User-Agent": f"drivetrain/{__version__}"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S):
            return
    except (urllib.error.URLError, OSError) as error:
        raise ResourceError(
            where="webhook",
            expected="an answer of success",
            got=str(error),
            remedy="Correct the address, or start what listens there.",
            code="DT328",
        ) from error


def write_metrics(path: Path, report: WatchReport) -> None:
    """Write the state as OpenMetrics text, for node_exporter's textfile collector and the like."""
    model = report.model.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    labels = f'model="{model}",metric="{report.metric}"'
    values: dict[str, float] = {
        "breach": float(report.breach),
        "baseline": report.baseline.score,
        "drifted_columns": float(len({f.where for f in report.findings if f.check == "drift"})),
        "rows": float(report.rows),
    }
    judged = [window for window in report.windows if window.judged]
    if judged and judged[-1].estimate is not None:
        values["estimated_quality"] = judged[-1].estimate.score
    realised = [window.realised for window in judged if window.realised is not None]
    if realised:
        values["realised_quality"] = realised[-1].score
    lines = []
    for name, value in values.items():
        lines.append(f"# TYPE drivetrain_watch_{name} gauge")
        lines.append(f"drivetrain_watch_{name}{{{labels}}} {value!r}")
    write_file(path, ("\n".join(lines) + "\n# EOF\n").encode())
