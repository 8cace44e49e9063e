"""Models as a user writes them."""

from __future__ import annotations

import time

import numpy as np
import torch
from sklearn.ensemble import (
    GradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
)
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures
from sklearn.svm import SVC

from drivetrain.graph.blocks.linear import Linear


class Crossed(LogisticRegression):
    """A subclass with its own defaults."""

    defaults = ({"C": 0.5}, {"C": 5.0})


class SmallForest(RandomForestClassifier):
    encoding = "trees"
    defaults = ({"n_estimators": 10, "max_depth": 4},)


def squares():
    """A function that makes a pipeline."""
    return make_pipeline(PolynomialFeatures(2), LogisticRegression(max_iter=300))


class Perceptron(MLPRegressor):
    defaults = ({"hidden_layer_sizes": (8,), "max_iter": 50, "tol": 1.0},)


class Boosted(GradientBoostingClassifier):
    """Its graph holds operators that no bundle can hold."""


class Kernel(KernelRidge):
    """skl2onnx has no converter for it."""


class Mean:
    """Has blocks of its own."""

    def fit(self, X, y):
        self.mean = float(np.mean(y))
        self.features = X.shape[1]
        return self

    def predict(self, X):
        return np.full(len(X), self.mean)

    def blocks(self):
        return (Linear(np.zeros((self.features, 1)), np.array([self.mean])),)


class Liar(Mean):
    """Its graph answers otherwise than it does."""

    def blocks(self):
        return (Linear(np.zeros((self.features, 1)), np.array([self.mean + 1])),)


class Broken(Mean):
    def fit(self, X, y):
        raise RuntimeError("it does not fit")


class Net(torch.nn.Module):
    def __init__(self, features, outputs, width=8):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(features, width), torch.nn.Tanh(), torch.nn.Linear(width, outputs)
        )
        self.loss = None

    def forward(self, X):
        return self.layers(X)

    def fit(self, X, y, seconds):
        losses = {torch.int64: torch.nn.functional.cross_entropy}
        loss = losses.get(y.dtype, torch.nn.functional.mse_loss)
        optimiser = torch.optim.Adam(self.parameters(), lr=0.02)
        for _ in range(100):
            optimiser.zero_grad()
            scores = self(X)
            loss(scores if y.dtype == torch.int64 else scores[:, 0], y).backward()
            optimiser.step()


class Untrained(torch.nn.Module):
    """Without a method fit."""


class Endless(Mean):
    """Never ends fitting."""

    def fit(self, X, y):
        while True:
            time.sleep(0.01)


class Leaves(Mean):
    """Ends the process."""

    def fit(self, X, y):
        raise SystemExit(3)


class Talks(Mean):
    """Prints to standard output."""

    def fit(self, X, y):
        print("epoch 1")
        return super().fit(X, y)


class Halves(LogisticRegression):
    """Answers one class of two."""

    def predict_proba(self, X):
        return super().predict_proba(X)[:, :1]


class Doubles(LogisticRegression):
    """Answers chances that are none."""

    def predict_proba(self, X):
        return 2 * super().predict_proba(X)


def stacked():
    return StackingClassifier([("a", LogisticRegression()), ("b", GaussianNB())])


def process():
    return GaussianProcessClassifier()


def margins():
    return SVC()


class Centred(torch.nn.Module):
    """Takes the mean of the rows that are asked together off each."""

    def __init__(self, features, outputs):
        super().__init__()
        self.layer = torch.nn.Linear(features, outputs)

    def forward(self, X):
        return self.layer(X - X.mean(0, keepdim=True))

    def fit(self, X, y, seconds):
        pass
