"""One file adds one thing: how folders of plug-ins are listed and loaded.

A plug-in is a module in a folder (``models/families/lightgbm.py``) or an entry point of another
package. Its module holds one object under the folder's attribute name, in lower case:
``family = LightGBM()``. The file's name is the plug-in's name. Listing imports nothing; a plug-in
that fails to import is a warning and is left out.
"""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar, cast

from drivetrain.core.errors import MissingLibraryError, UnknownNameError

T = TypeVar("T")


class Plugins(Generic[T]):
    """The plug-ins of one folder.

    Parameters
    ----------
    package
        The folder as a package, ``"drivetrain.models.families"``.
    attribute
        What each module calls its one object, ``"family"``. The entry point group of other
        packages is ``drivetrain.<attribute>``.
    """

    def __init__(self, package: str, attribute: str) -> None:
        self.package = package
        self.attribute = attribute

    @cached_property
    def _entry_points(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group=f"drivetrain.{self.attribute}")}

    @cached_property
    def _modules(self) -> tuple[str, ...]:
        path = importlib.import_module(self.package).__path__
        found = (info.name for info in pkgutil.iter_modules(path))
        return tuple(sorted(name for name in found if not name.startswith("_")))

    def names(self) -> list[str]:
        """Names of all plug-ins, sorted, without importing one."""
        return sorted({*self._modules, *self._entry_points})

    def load(self, name: str) -> T:
        """Import one plug-in and return its object.

        Raises
        ------
        UnknownNameError
            If there is no plug-in of this name.
        MissingLibraryError
            If it needs a library that is not installed.
        """
        if name not in self.names():
            raise UnknownNameError(
                where=f"{self.attribute} '{name}'",
                expected=f"one of {', '.join(self.names())}",
                got=f"'{name}'",
                remedy="Choose one of these names.",
                code="DT251",
            )
        try:
            if name in self._modules:
                module = importlib.import_module(f"{self.package}.{name}")
                return cast(T, getattr(module, self.attribute))
            return cast(T, self._entry_points[name].load())
        except MissingLibraryError:
            raise
        except ImportError as error:
            raise MissingLibraryError.of(error, where=f"{self.attribute} '{name}'") from error

    def load_all(self) -> dict[str, T]:
        """Import every plug-in; one that fails is named in a warning and left out."""
        loaded: dict[str, T] = {}
        for name in self.names():
            try:
                loaded[name] = self.load(name)
            except Exception as error:  # a foreign plug-in may fail in any way; the rest must work
                warnings.warn(f"{self.attribute} '{name}' is left out: {error}", stacklevel=2)
        return loaded
