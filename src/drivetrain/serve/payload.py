"""JSON bodies: read into plain values with errors that say where, written as valid JSON always."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from drivetrain.core.errors import RequestError

T = TypeVar("T")
_encode = msgspec.json.Encoder().encode


def read_json(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Read a JSON body into the decoder's type.

    Nesting is bounded by Python's recursion limit; NaN, infinity and numbers beyond a float64
    are not JSON.

    Raises
    ------
    RequestError
        If it is not valid JSON in UTF-8, or of another form than the type's.
    """
    try:
        return decoder.decode(body)
    except RecursionError as error:
        raise refused("JSON nested less deeply", "too many levels") from error
    except UnicodeDecodeError as error:
        raise refused("JSON in UTF-8", "a text with a byte that is not") from error
    except msgspec.ValidationError as error:
        raise _misformed(str(error)) from error
    except msgspec.MsgspecError as error:
        got = str(error).removeprefix("JSON is malformed: ") if body else "no body"
        raise refused("valid JSON", got) from error


def write_json(value: object) -> bytes:
    """Write JSON. Floats are written so that they read back equal; NaN and infinity become null."""
    return _encode(value)


def refused(
    expected: str,
    got: str,
    *,
    where: str = "the body",
    remedy: str = "Correct the request.",
    code: str = "DT2B5",
) -> RequestError:
    """Return the error for a body that has the wrong form."""
    return RequestError(where=where, expected=expected, got=got, remedy=remedy, code=code)


def _misformed(text: str) -> RequestError:
    """Turn msgspec's "Expected `str`, got `int` - at `$.id`" into ours.

    Only its messages of types and missing members are repeated: others show a value or a key.
    """
    what, _, place = text.partition(" - at ")
    where = f"the body at {place.strip('`')}" if place else "the body"
    what = what.replace("`", "")
    if what.startswith("Expected ") and ", got " in what:
        expected, _, got = what.removeprefix("Expected ").partition(", got ")
        return refused(expected, got, where=where)
    if what.startswith("Object missing required field "):
        name = what.removeprefix("Object missing required field ")
        return refused(f"a member '{name}'", "none", where=where)
    return refused("the documented form", "another", where=where)
