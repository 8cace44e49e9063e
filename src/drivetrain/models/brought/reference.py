"""Find a user's model by ``FILE.py:NAME``, in this process and in every worker.

A reference names one of three things:

- a class, or a function, that makes a scikit-learn-style estimator
  (:mod:`drivetrain.models.brought.scikit_learn`);
- a subclass of ``torch.nn.Module`` with a method ``fit``
  (:mod:`drivetrain.models.brought.torch_module`);
- a whole family, with ``space``, ``fit`` and ``tasks`` (:mod:`drivetrain.models.family`).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, cast

from drivetrain.core.own_code import OwnCode
from drivetrain.core.plugins import Plugins
from drivetrain.models.family import Family

_CODE = OwnCode(
    "family",
    "Write it as --family models.py:MyModel; docs/your-own-models.md shows each form.",
)


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
    return _CODE.reference_of(given)


def name_of(reference: str) -> str:
    """Return what the leaderboard calls a reference: the name after the colon."""
    return _CODE.name_of(reference)


def digest_of(reference: str) -> str:
    """Return the sha256 of a reference's file, hex."""
    return _CODE.digest_of(reference)


def load_reference(reference: str) -> Family:
    """Import the file and return what it names as a family.

    Raises
    ------
    SettingError
        If there is no such file or name, or the name is nothing that fits.
    MissingLibraryError
        If the file needs a library that is not installed.
    """
    return family_of(_CODE.load(reference), name_of(reference))


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
    raise _CODE.refused(name, "a class, a function or a family", type(thing).__name__)
