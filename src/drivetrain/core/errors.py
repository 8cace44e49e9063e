"""Every error that drivetrain raises, as one tree.

::

    DrivetrainError                          exit  HTTP
    ├── UserError                               2   400   what the user or client gave is wrong
    │   ├── SettingError      (ValueError)      2   400   an option, a parameter
    │   ├── DataError         (ValueError)      2   400   a file, a table, a target
    │   ├── ContractError     (ValueError)      2   400   a row breaches the Contract
    │   ├── BundleError       (ValueError)      2   400   a bundle is absent, changed, too new
    │   ├── RequestError      (ValueError)      2   4xx   a request refused for its form or size
    │   └── UnknownNameError  (LookupError)     2   404   no such model, version, plug-in
    ├── GateError                               1   409   a gate refused: the proof, a strict check
    │   ├── ParityError                         1   409   graph and fitted thing differ
    │   └── LimitError                          1   409   no model is as quick or small as asked
    ├── MachineError                            3   503   the environment failed
    │   ├── ResourceError     (OSError)         3   503   a port, a disk, memory, time
    │   └── MissingLibraryError (ImportError)   3   503   an extra is not installed
    └── InternalError         (RuntimeError)   70   500   a fault of drivetrain itself

Each is built from where, expected, got and one remedy, so no message can leave one out. A cell's
own value is wrapped in :class:`Value`: :meth:`DrivetrainError.line` shows it, while
:meth:`DrivetrainError.private_line`, which servers send, names only its kind and length.
"""

from __future__ import annotations

from typing import ClassVar


class Value:
    """A value that came from the user's data, shown to the user and never to a network client."""

    def __init__(self, value: object) -> None:
        self.value = value

    def shown(self) -> str:
        """Return the value as Python writes it, cut at 80 characters."""
        try:
            text = repr(self.value)
        except ValueError:  # an integer of more than 4300 digits
            return self.described()
        return text if len(text) <= 80 else text[:77] + "..."

    def described(self) -> str:
        """Return the value's kind and length, without the value."""
        value = self.value
        if value is None:
            return "null"
        if isinstance(value, bool):
            return "a boolean"
        if isinstance(value, (int, float)):
            return "a number"
        if isinstance(value, (str, bytes)):
            return f"a text of {len(value)} characters"
        if isinstance(value, dict):
            return f"an object of {len(value)} members"
        if isinstance(value, (list, tuple)):
            return f"a list of {len(value)} items"
        return f"a {type(value).__name__}"


class DrivetrainError(Exception):
    """Root of all errors; see the module's docstring for the tree.

    Parameters
    ----------
    where
        The place: a file and row, a column, an option, a node.
    expected
        What would have been right.
    got
        What came. Wrap a cell of the user's data in :class:`Value`.
    remedy
        One thing to do about it, a sentence in the imperative. ``{value}`` stands for the value.
    code
        The stable number of this error, such as ``DT104``; it stands in one file only, from which
        ``make docs`` writes docs/errors.md.

    Examples
    --------
    >>> print(DataError(where="column 'age', row 17", expected="a number", got=Value("n/a"),
    ...                 remedy="Add {value} to missing_values.", code="DT104"))
    column 'age', row 17: expected a number, got 'n/a'. Add 'n/a' to missing_values. [DT104]
    """

    exit_status: ClassVar[int] = 70
    http_status: int = 500  # of the class; a RequestError has its own
    default_code: ClassVar[str] = "DT000"

    def __init__(
        self, *, where: str, expected: str, got: str | Value, remedy: str, code: str | None = None
    ) -> None:
        self.where = where
        self.expected = expected
        self.got = got
        self.remedy = remedy
        self.code = code or self.default_code
        super().__init__(self.line())

    def line(self) -> str:
        """Return the one line for the user's own terminal, values shown."""
        shown = self.got.shown() if isinstance(self.got, Value) else self.got
        return self._render(shown, shown)

    def private_line(self) -> str:
        """Return the one line for a network client: values only by kind and length."""
        if isinstance(self.got, Value):
            return self._render(self.got.described(), "it")
        return self._render(self.got, "it")

    def _render(self, got: str, value: str) -> str:
        remedy = self.remedy.replace("{value}", value)
        return f"{self.where}: expected {self.expected}, got {got}. {remedy} [{self.code}]"


class UserError(DrivetrainError):
    """Something the user or a client gave is wrong."""

    exit_status = 2
    http_status = 400
    default_code = "DT200"


class SettingError(UserError, ValueError):
    """An option or a parameter is out of its range or unknown."""

    default_code = "DT210"


class DataError(UserError, ValueError):
    """A file, a table or a target cannot be used."""

    default_code = "DT220"


class ContractError(UserError, ValueError):
    """A row breaches the Contract where the policy says reject."""

    default_code = "DT230"


class BundleError(UserError, ValueError):
    """A bundle is absent, truncated, edited, extended, or of a newer protocol."""

    default_code = "DT240"


class RequestError(UserError, ValueError):
    """An HTTP request is refused for its form or its size, before any cell is looked at.

    Parameters
    ----------
    status
        The HTTP status that says so: 400, 405, 408, 413, 415 or 431.
    """

    default_code = "DT260"

    def __init__(
        self,
        *,
        status: int = 400,
        where: str,
        expected: str,
        got: str | Value,
        remedy: str,
        code: str | None = None,
    ) -> None:
        self.http_status = status
        super().__init__(where=where, expected=expected, got=got, remedy=remedy, code=code)


class UnknownNameError(UserError, LookupError):
    """No model, version, route or plug-in has this name."""

    http_status = 404
    default_code = "DT250"


class GateError(DrivetrainError):
    """A gate refused: nothing was shipped."""

    exit_status = 1
    http_status = 409
    default_code = "DT100"


class ParityError(GateError):
    """The graph and the fitted thing it claims to be differ beyond tolerance."""

    default_code = "DT110"


class LimitError(GateError):
    """No model that was found is as quick, or as small, as it has to be."""

    default_code = "DT140"


class MachineError(DrivetrainError):
    """The environment failed."""

    exit_status = 3
    http_status = 503
    default_code = "DT300"


class ResourceError(MachineError, OSError):
    """A port, a disk, memory or time that is not to be had."""

    default_code = "DT320"


class MissingLibraryError(MachineError, ImportError):
    """A library that an extra would bring is not installed."""

    default_code = "DT310"

    @classmethod
    def of(cls, error: ImportError, *, where: str) -> MissingLibraryError:
        """Put Python's own error into words."""
        return cls(
            where=where,
            expected=f"library '{error.name}' to be installed",
            got="no such library",
            remedy=f"Install it: pip install {error.name}, or all that training needs: "
            "pip install 'drivetrain[train]'",
            code="DT311",
        )


class InternalError(DrivetrainError, RuntimeError):
    """A fault of drivetrain itself."""

    default_code = "DT700"
