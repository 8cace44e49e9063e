"""The manifest of a bundle: everything known about it, and the seal over its bytes.

Two hashes. ``content_hash`` covers what the bundle *is* (contract, recipes, proof, lineage, file
hashes) and leaves out ``measured`` (timings, the date), so the same journal gives the same hash.
``seal`` covers the whole manifest, so that an edit anywhere is noticed. Both are sha256 over
canonical JSON (sorted keys, UTF-8, no spaces).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from drivetrain.core.contract import Contract
from drivetrain.core.findings import Decision, Finding

PROTOCOL = 1  # raised when an older runtime could not read the bundle
MANIFEST_FILE = "manifest.json"
MODEL_FILE = "model.onnx"
VECTORS_FILE = "vectors.json"
CARD_FILE = "card.md"
PREDICTION, PROBABILITIES = "prediction", "probabilities"  # outputs of every graph
LOWER, UPPER, SET = "lower", "upper", "set"  # outputs of those that were asked for them
OUT_OF_RANGE = "out_of_range"
UNSEALED_FILES = frozenset(
    {"MLmodel", "conda.yaml", "python_env.yaml", "requirements.txt", "input_example.json",
     "serving_input_example.json", "registered_model_meta", "model.sig"}
)  # fmt: skip


class FileSeal(msgspec.Struct, frozen=True, kw_only=True):
    """sha256 (hex) and size in bytes of one sealed file."""

    sha256: str
    size_bytes: int


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """One output of the graph: ``shape`` has -1 for the rows.

    Of a classification, an output with two axes has an item for each class.
    """

    name: str
    type: str  # "float", "double", "int64", "string", "bool"
    shape: tuple[int, ...]

    def columns(self, classes: Sequence[str], joint: str = ".") -> dict[str, int | None]:
        """Name the columns of a table that hold it: itself, or an item for each class.

        Examples
        --------
        >>> Output(name="set", type="bool", shape=(-1, 2)).columns(("no", "yes"))
        {'set.no': 0, 'set.yes': 1}
        """
        if len(self.shape) == 1:
            return {self.name: None}
        word = "probability" if self.name == PROBABILITIES else self.name
        return {f"{word}{joint}{label}": place for place, label in enumerate(classes)}


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What parity compared, and what came of it."""

    rows: int  # held-out rows
    adversarial_rows: int
    max_abs_diff: float  # probabilities, or relative difference in regression
    tolerance: float
    label_flips: int  # further than 1e-5 from the decision boundary: always 0 in a bundle
    node_diffs: dict[str, float] = {}  # largest margin difference of each member


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """Where the bundle comes from."""

    data_fingerprint: str  # sha256 over the typed training columns
    rows: int
    source: str  # file name, or "dataframe"
    settings: dict[str, Any]
    packages: dict[str, str]
    python: str
    seed: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of ``manifest.json``."""

    protocol: int = PROTOCOL
    drivetrain: str
    name: str
    contract: Contract
    outputs: tuple[Output, ...]
    metric: str
    scorecard: dict[str, Any]
    recipes: tuple[dict[str, Any], ...]
    proof: Proof
    lineage: Lineage
    decisions: tuple[Decision, ...] = ()
    findings: tuple[Finding, ...] = ()
    files: dict[str, FileSeal] = {}
    measured: dict[str, Any] = {}
    content_hash: str = ""
    seal: str = ""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class labels in the order of ``probabilities``; empty for a regression."""
        return self.contract.target.classes if self.contract.target else ()

    @property
    def task(self) -> str:
        """The task of the bundle."""
        return self.contract.target.task if self.contract.target else "regression"


def canonical_json(value: object) -> bytes:
    """Encode a value so that equal values give equal bytes: sorted keys, no spaces, UTF-8."""
    return msgspec.json.encode(msgspec.to_builtins(value), order="sorted")


def content_hash(manifest: Manifest) -> str:
    """Hash what the bundle is, without timings and dates."""
    bare = msgspec.structs.replace(manifest, measured={}, content_hash="", seal="")
    return hashlib.sha256(canonical_json(bare)).hexdigest()


def seal_of(manifest: Manifest) -> str:
    """Hash the whole manifest, its own seal left empty."""
    return hashlib.sha256(canonical_json(msgspec.structs.replace(manifest, seal=""))).hexdigest()


def sealed(manifest: Manifest) -> Manifest:
    """Return the manifest with both hashes filled in."""
    hashed = msgspec.structs.replace(manifest, content_hash=content_hash(manifest))
    return msgspec.structs.replace(hashed, seal=seal_of(hashed))
