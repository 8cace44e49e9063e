from drivetrain.core import errors as errors
from drivetrain.lifecycle.adopt import adopt as adopt
from drivetrain.lifecycle.check import check as check
from drivetrain.lifecycle.estimators import Classifier as Classifier
from drivetrain.lifecycle.estimators import Regressor as Regressor
from drivetrain.lifecycle.evaluate import evaluate as evaluate
from drivetrain.lifecycle.explain import explain as explain
from drivetrain.lifecycle.inspect import inspect as inspect
from drivetrain.lifecycle.predict import predict as predict
from drivetrain.lifecycle.serve import serve as serve
from drivetrain.lifecycle.train import train_model as train
from drivetrain.runtime.model import Model as Model

__version__: str
load = Model.load
__all__ = [
    "Classifier",
    "Model",
    "Regressor",
    "__version__",
    "adopt",
    "check",
    "errors",
    "evaluate",
    "explain",
    "inspect",
    "load",
    "predict",
    "serve",
    "train",
]
