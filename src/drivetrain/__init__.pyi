from drivetrain.core import errors as errors
from drivetrain.lifecycle.adopt import adopt as adopt
from drivetrain.lifecycle.check import check as check
from drivetrain.lifecycle.compare import compare as compare
from drivetrain.lifecycle.diff import diff as diff
from drivetrain.lifecycle.estimators import Classifier as Classifier
from drivetrain.lifecycle.estimators import Regressor as Regressor
from drivetrain.lifecycle.evaluate import evaluate as evaluate
from drivetrain.lifecycle.explain import explain as explain
from drivetrain.lifecycle.inspect import inspect as inspect
from drivetrain.lifecycle.labels import add_labels as add_labels
from drivetrain.lifecycle.leaderboard import leaderboard as leaderboard
from drivetrain.lifecycle.predict import predict as predict
from drivetrain.lifecycle.replay import replay as replay
from drivetrain.lifecycle.retrain import retrain as retrain
from drivetrain.lifecycle.serve import serve as serve
from drivetrain.lifecycle.train import train_model as train
from drivetrain.lifecycle.watch import watch as watch
from drivetrain.runtime.model import Model as Model

__version__: str
load = Model.load
__all__ = [
    "Classifier",
    "Model",
    "Regressor",
    "__version__",
    "add_labels",
    "adopt",
    "check",
    "compare",
    "diff",
    "errors",
    "evaluate",
    "explain",
    "inspect",
    "leaderboard",
    "load",
    "predict",
    "replay",
    "retrain",
    "serve",
    "train",
    "watch",
]
