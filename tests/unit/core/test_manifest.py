"""What the two hashes cover."""

import msgspec
import pytest

from drivetrain.core.contract import Column, Contract, Target
from drivetrain.core.manifest import Lineage, Manifest, Proof, canonical_json, seal_of, sealed


@pytest.fixture
def manifest() -> Manifest:
    return Manifest(
        drivetrain="0.1.0",
        name="example",
        contract=Contract(
            columns=(Column(name="age", kind="number"),),
            target=Target(name="y", task="binary", classes=("0", "1"), label_type="int"),
        ),
        outputs=(),
        metric="auc",
        scorecard={"auc": 0.9},
        recipes=(),
        proof=Proof(
            rows=1, adversarial_rows=1, max_abs_diff=0.0, tolerance=1e-5, label_flips=0
        ),
        lineage=Lineage(
            data_fingerprint="f", rows=1, source="x.csv", settings={}, packages={},
            python="3.11", seed=0,
        ),
    )  # fmt: skip


def test_timings_lie_outside_the_content_hash_and_inside_the_seal(manifest: Manifest) -> None:
    one = sealed(msgspec.structs.replace(manifest, measured={"elapsed_s": 1.0}))
    two = sealed(msgspec.structs.replace(manifest, measured={"elapsed_s": 2.0}))

    assert one.content_hash == two.content_hash
    assert one.seal != two.seal


def test_a_changed_metric_changes_both_hashes(manifest: Manifest) -> None:
    one = sealed(manifest)
    two = sealed(msgspec.structs.replace(manifest, scorecard={"auc": 0.99}))

    assert one.content_hash != two.content_hash
    assert one.seal != two.seal


def test_a_manifest_survives_json_with_its_seal(manifest: Manifest) -> None:
    one = sealed(manifest)
    two = msgspec.json.decode(msgspec.json.encode(one), type=Manifest)

    assert two == one
    assert seal_of(two) == one.seal


def test_canonical_json_does_not_depend_on_the_order_of_keys() -> None:
    assert canonical_json({"b": 1, "a": {"d": 2, "c": 3}}) == b'{"a":{"c":3,"d":2},"b":1}'
