"""The page at ``/``: the model's card, and a form made from the Contract to try a row.

One HTML file with its style and script inside, which the policy in its header allows by their
hashes and nothing else: it loads nothing from anywhere. It holds no word about the model. What it
shows it asks of this server, ``/model.json`` and the KServe route ``:explain``, with the key that
its user types in where keys are asked for.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Any

import numpy as np

from drivetrain.core.arrays import MISSING_TIME, Array
from drivetrain.core.contract import Column
from drivetrain.serve.payload import write_json
from drivetrain.serve.protocol import Protocol, Reply, Request, Route
from drivetrain.serve.served import Served
from drivetrain.serve.service import Service

HTML = "text/html; charset=utf-8"
_FOLDER = "page_files"
_MOST_CATEGORIES = 500  # offered as choices; others can be typed in


class Page(Protocol):
    """``GET /`` and what it shows."""

    title = "Page"

    def __init__(self) -> None:
        body, policy = _assembled()
        self._page = Reply(
            body,
            media=HTML,
            headers=(
                (b"content-security-policy", policy.encode("ascii")),
                (b"referrer-policy", b"no-referrer"),
            ),
        )
        self.routes = (
            Route(
                "GET",
                "/",
                lambda request, service: self._page,
                summary="A page to try the model",
                is_open=True,
                answers=(HTML,),
            ),
            Route("GET", "/model.json", _model, summary="What the page shows of the model"),
        )

    def error(self, status: int, line: str) -> bytes:
        return write_json({"error": line})


def _assembled() -> tuple[bytes, str]:
    """Return the page, and the policy that allows what is in it and nothing else."""
    folder = files("drivetrain.serve") / _FOLDER
    style, script, page = (
        (folder / name).read_text("utf-8") for name in ("page.css", "page.js", "page.html")
    )
    policy = (
        "default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        f"frame-ancestors 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    )
    whole = page.replace("/*STYLE*/", style).replace("/*SCRIPT*/", script)
    return whole.encode(), policy


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _model(request: Request, service: Service) -> Reply:
    served = service.served()
    manifest = served.model.manifest
    return Reply(
        write_json(
            {
                "name": served.name,
                "version": served.version,
                "ledger_version": served.ledger_version,
                "task": manifest.task,
                "target": served.contract.target.name if served.contract.target else None,
                "classes": served.classes,
                "coverage": manifest.lineage.settings.get("coverage"),
                "is_logged": service.log is not None,
                "columns": [_column(column, served) for column in served.contract.columns],
                "card": served.card,
            }
        )
    )


def _column(column: Column, served: Served) -> dict[str, Any]:
    """Describe a column; of a private one nothing that was seen in training is told."""
    told: dict[str, Any] = {
        "name": column.name,
        "kind": column.kind,
        "width": column.width,
        "integral": column.integral,
        "policy": column.policy,
        "private": column.private,
    }
    if column.private:
        return told
    categories = column.categories or ()
    return told | {
        "low": column.low,
        "high": column.high,
        "categories": categories[:_MOST_CATEGORIES],
        "categories_left_out": max(0, len(categories) - _MOST_CATEGORIES),
        "example": None if served.background is None else _middle(column, served.background),
    }


def _middle(column: Column, background: dict[str, Array]) -> Any:
    """Return a cell to begin with: the middle of the bundle's own rows, of texts the most frequent.

    A text column has none, for its middle would be somebody's text.
    """
    values = background[column.name]
    if column.kind == "text":
        return None
    if column.kind == "category":
        texts, counts = np.unique(values[values != ""].astype(str), return_counts=True)
        return str(texts[counts.argmax()]) if len(texts) else None
    if column.kind == "datetime":
        times = np.sort(values[values != MISSING_TIME])
        return _iso(int(times[(len(times) - 1) // 2])) if len(times) else None
    if column.kind == "vector":
        return [_lower_median(item) for item in values.T]
    middle = _lower_median(values)
    return bool(middle) if column.kind == "boolean" and middle is not None else middle


def _lower_median(values: Array) -> float | None:
    known = np.sort(values[np.isfinite(values)])
    return float(known[(len(known) - 1) // 2]) if len(known) else None


def _iso(microseconds: int) -> str:
    return str(np.datetime64(microseconds, "us").astype("datetime64[s]"))
