"""Find a user's model by ``FILE.py:NAME``, in this process and in every worker.

A reference names one of three things:

- a class, or a function, that makes a scikit-learn-style estimator
  (:mod:`drivetrain.models.brought.scikit_learn`);
- a subclass of ``torch.nn.Module`` with a method ``fit``
  (:mod:`drivetrain.models.brought.torch_module`);
- a whole family, with ``space``, ``fit`` and ``tasks`` (:mod:`drivetrain.models.family`).

The file is imported by its path: it is the user's own code on the user's own machine. A bundle
holds nothing of it but the graph.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from drivetrain.core.errors import MissingLibraryError, SettingError
from drivetrain.core.plugins import Plugins
from drivetrain.models.family import Family

_MODULES: dict[Path, ModuleType] = {}
_FORM = "FILE.py:NAME, the name of a class or function in a file"


class Families(Plugins[Family]):
    """The families of the folder, and those that the user brought, by name."""

    def __init__(self, brought: Mapping[str, str] | None = None) -> None:
        super().__init__("drivetrain.models.families", "family")
        self.brought = dict(brought or {})

    def names(self) -> list[str]:
        """Names of all families, sorted."""
        return sorted({*super().names(), *self.brought})

    def load(self, name: str) -> Family:
        """Import one family; see :meth:`Plugins.load` and :func:`load_reference`."""
        if name in self.brought:
            return load_reference(self.brought[name])
        return super().load(name)


def reference_of(given: object) -> str:
    """Return the reference of a class or function of the user's, or a reference as it is.

    Raises
    ------
    SettingError
        If it was not defined in a file: workers could not import it.
    """
    if isinstance(given, str):
        return given
    try:
        file = inspect.getsourcefile(cast(Any, given))
    except TypeError:
        file = None
    name = getattr(given, "__qualname__", "")
    if file is None or not Path(file).is_file() or "." in name:
        raise _refused(given, "a class or function at the top of a file", repr(given))
    return f"{file}:{name}"


def name_of(reference: str) -> str:
    """Return what the leaderboard calls a reference: the name after the colon."""
    file, colon, name = reference.rpartition(":")
    if not colon or not file or not name.isidentifier():
        raise _refused(reference, _FORM, f"'{reference}'")
    return name


def digest_of(reference: str) -> str:
    """Return the sha256 of a reference's file, hex."""
    return hashlib.sha256(_path(reference).read_bytes()).hexdigest()


def load_reference(reference: str) -> Family:
    """Import the file and return what it names as a family.

    Raises
    ------
    SettingError
        If there is no such file or name, or the name is nothing that fits.
    MissingLibraryError
        If the file needs a library that is not installed.
    """
    name = name_of(reference)
    module = _module(_path(reference))
    if not hasattr(module, name):
        known = [key for key, value in vars(module).items() if getattr(value, "__module__", "")
                 == module.__name__]  # fmt: skip
        raise _refused(reference, f"one of {', '.join(known) or 'its names'}", f"'{name}'")
    return family_of(getattr(module, name), name)


def family_of(thing: Any, name: str) -> Family:
    """Return a user's class, function or family as a family.

    Raises
    ------
    SettingError
        If it is none of these.
    """
    if all(hasattr(thing, part) for part in ("space", "fit", "tasks")):
        return cast(Family, thing() if isinstance(thing, type) else thing)
    torch = sys.modules.get("torch")  # a subclass of its Module has imported it
    if torch is not None and isinstance(thing, type) and issubclass(thing, torch.nn.Module):
        from drivetrain.models.brought.torch_module import TorchFamily

        return TorchFamily(thing)
    if callable(thing):
        from drivetrain.models.brought.scikit_learn import ScikitLearnFamily

        return ScikitLearnFamily(thing, name)
    raise _refused(name, "a class, a function or a family", type(thing).__name__)


def _path(reference: str) -> Path:
    path = Path(reference.rpartition(":")[0])
    if not path.is_file():
        raise _refused(reference, _FORM, f"no file '{path}'")
    return path.resolve()


def _module(path: Path) -> ModuleType:
    """Import a file once, its neighbours within its reach."""
    if path in _MODULES:
        return _MODULES[path]
    name = f"brought_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise _refused(str(path), "a Python file", f"'{path.name}'")
    module = importlib.util.module_from_spec(spec)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # at the end: it hides no library
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        raise MissingLibraryError.of(error, where=f"family in {path}") from error
    except Exception as error:  # a user's file may fail in any way
        raise _refused(str(path), "a file that Python imports", _said(error)) from error
    _MODULES[path] = module
    return module


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _refused(given: object, expected: str, got: str) -> SettingError:
    return SettingError(
        where=f"family {given if isinstance(given, str) else ''}".strip(),
        expected=expected,
        got=got,
        remedy="Write it as --family models.py:MyModel; docs/your-own-models.md shows each form.",
        code="DT277",
    )
