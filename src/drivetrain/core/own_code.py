"""Code of the user's own, named ``FILE.py:NAME``: found, imported and fingerprinted.

The file is imported by its path: it is the user's own code on the user's own machine. A bundle
holds nothing of it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from drivetrain.core.errors import MissingLibraryError, SettingError

_MODULES: dict[Path, ModuleType] = {}
_FORM = "FILE.py:NAME, the name of a class or function in a file"


@dataclass(frozen=True)
class OwnCode:
    """One sort of thing that users bring: ``"family"``, ``"metric"``.

    Examples
    --------
    >>> OwnCode("metric", "Write it as FILE.py:NAME.").name_of("metrics.py:profit")
    'profit'
    """

    sort: str
    remedy: str

    def reference_of(self, given: object) -> str:
        """Return the reference of a class or function, or a reference as it is.

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
        if file is None or not Path(file).is_file() or not name.isidentifier():
            raise self.refused(given, "a class or function at the top of a file", repr(given))
        return f"{file}:{name}"

    def name_of(self, reference: str) -> str:
        """Return the name after the colon."""
        file, colon, name = reference.rpartition(":")
        if not colon or not file or not name.isidentifier():
            raise self.refused(reference, _FORM, f"'{reference}'")
        return name

    def path_of(self, reference: str) -> Path:
        """Return the file before the colon, absolute."""
        path = Path(reference.rpartition(":")[0])
        if not path.is_file():
            raise self.refused(reference, _FORM, f"no file '{path}'")
        return path.resolve()

    def absolute(self, reference: str) -> str:
        """Return the reference with its file's whole path, which holds in any folder."""
        return f"{self.path_of(reference)}:{self.name_of(reference)}"

    def digest_of(self, reference: str) -> str:
        """Return the sha256 of a reference's file, hex."""
        return hashlib.sha256(self.path_of(reference).read_bytes()).hexdigest()

    def load(self, reference: str) -> Any:
        """Import the file once and return what the reference names.

        Raises
        ------
        SettingError
            If there is no such file or name, or the file cannot be imported.
        MissingLibraryError
            If the file needs a library that is not installed.
        """
        name = self.name_of(reference)
        module = self._module(self.path_of(reference))
        if not hasattr(module, name):
            known = [key for key, value in vars(module).items() if getattr(value, "__module__", "")
                     == module.__name__]  # fmt: skip
            raise self.refused(reference, f"one of {', '.join(known) or 'its names'}", f"'{name}'")
        return getattr(module, name)

    def refused(self, given: object, expected: str, got: str) -> SettingError:
        """Return the error of a reference, or of what it names."""
        return SettingError(
            where=f"{self.sort} {given if isinstance(given, str) else ''}".strip(),
            expected=expected,
            got=got,
            remedy=self.remedy,
            code="DT277",
        )

    def _module(self, path: Path) -> ModuleType:
        """Import a file once, its neighbours within its reach."""
        if path in _MODULES:
            return _MODULES[path]
        name = f"brought_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise self.refused(str(path), "a Python file", f"'{path.name}'")
        module = importlib.util.module_from_spec(spec)
        if str(path.parent) not in sys.path:
            sys.path.append(str(path.parent))  # at the end: it hides no library
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except ModuleNotFoundError as error:
            raise MissingLibraryError.of(error, where=f"{self.sort} in {path}") from error
        except Exception as error:  # a user's file may fail in any way
            raise self.refused(str(path), "a file that Python imports", said(error)) from error
        _MODULES[path] = module
        return module


def said(error: Exception) -> str:
    """Return what a user's code raised, in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
