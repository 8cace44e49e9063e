"""Models of the user's own on the leaderboard, and in the bundle, by path through the workers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import drivetrain as dt
from drivetrain.cli.main import main
from drivetrain.core.errors import DataError, SettingError
from drivetrain.lifecycle.train import train
from drivetrain.runtime.bundle import read_bundle
from drivetrain.runtime.vectors import check_vectors

MODELS = """
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

def squares():
    return make_pipeline(PolynomialFeatures(2), LogisticRegression(C=100, max_iter=500))

class Boosted(GradientBoostingClassifier):
    pass
"""

NET = """
import torch

class Net(torch.nn.Module):
    def __init__(self, features, outputs):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(features, 16), torch.nn.Tanh(), torch.nn.Linear(16, outputs)
        )

    def forward(self, X):
        return self.layers(X)

    def fit(self, X, y, seconds):
        optimiser = torch.optim.Adam(self.parameters(), lr=0.03)
        for _ in range(150):
            optimiser.zero_grad()
            torch.nn.functional.binary_cross_entropy_with_logits(self(X)[:, 0], y).backward()
            optimiser.step()
"""


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    """A circle, which neither a line nor a few trees find as well as squares."""
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 900))
    inside = a**2 + b**2 < 1.4
    return pl.DataFrame(
        {"a": a, "b": b, "where": np.where(inside ^ (random.random(900) < 0.02), "in", "out")}
    )


@pytest.fixture
def models(tmp_path) -> Path:
    file = tmp_path / "models.py"
    file.write_text(MODELS)
    return file


def test_a_class_of_the_users_is_on_the_leaderboard_and_in_the_bundle(models, table, tmp_path):
    found = train(
        table, "where", families=[f"{models}:squares"], trials=2, time_limit=60, workers=1, folds=2,
        out=tmp_path / "b",
    )  # fmt: skip
    ours = [row for row in found.leaderboard if row.family == "squares"]
    assert len(ours) == 1 and ours[0].status == "complete" and ours[0].weight > 0.5
    assert len({row.family for row in found.leaderboard}) == 2
    assert found.score > 0.95
    assert check_vectors(read_bundle(tmp_path / "b")) == 0.0
    (decision,) = [made for made in found.decisions if made.subject == "family 'squares'"]
    assert "models.py:squares, sha256" in decision.reason
    models.unlink()  # nothing of it is needed where the bundle goes
    assert len(dt.load(tmp_path / "b").predict(table)) == 900


def test_a_module_of_torch_is_fitted_by_the_command(table, tmp_path, capsys):
    pytest.importorskip("torch", reason="the extra 'torch' is not installed")
    (tmp_path / "net.py").write_text(NET)
    table.write_csv(tmp_path / "table.csv")
    words = ["train", str(tmp_path / "table.csv"), "--target", "where", "--quiet", "--json",
             "--family", f"{tmp_path / 'net.py'}:Net", "--trials", "2", "--time-limit", "90",
             "--workers", "1", "--folds", "2", "--out", str(tmp_path / "b")]  # fmt: skip
    assert main(words) == 0
    said = json.loads(capsys.readouterr().out)
    (row,) = [row for row in said["leaderboard"] if row["family"] == "Net"]
    assert row["status"] == "complete" and row["score"] > 0.9
    assert said["parity"]["max_abs_diff"] < 1e-5


def test_what_has_no_graph_ends_the_run_before_the_search(models, table, tmp_path):
    out = tmp_path / "b"
    with pytest.raises(DataError, match=r"family 'Boosted'.*operator TreeEnsemble"):
        train(table, "where", families=[f"{models}:Boosted"], trials=1, workers=0, out=out)
    with pytest.raises(SettingError, match="no file"):
        train(table, "where", families=["absent.py:Mine"], trials=1, workers=0, out=out)
    assert not out.exists()
