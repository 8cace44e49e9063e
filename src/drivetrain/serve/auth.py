"""Bearer keys: who may predict, read and manage.

A key file has one key a line: its scopes joined by commas, the SHA-256 of the key in hex, and a
name for people. Keys are 32 random bytes, so a plain hash of one tells nothing about it. The file
is read when a worker starts; SIGHUP brings a changed one into use without loss.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import msgspec

from drivetrain.core.errors import RequestError, ResourceError, SettingError, Value
from drivetrain.core.files import write_file

Scope: TypeAlias = Literal["predict", "read", "manage"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
_LINE = re.compile(r"(?P<scopes>[a-z,]+)\s+(?P<hash>[0-9a-f]{64})(?:\s+(?P<name>\S.*))?")
_LONGEST = 512


class Keys:
    """The keys that a server knows.

    Parameters
    ----------
    keys
        The SHA-256 of each key, and its scopes.
    """

    def __init__(self, keys: Sequence[tuple[bytes, frozenset[str]]]) -> None:
        self._keys = tuple(keys)

    @classmethod
    def read(cls, path: Path) -> Keys:
        """Read a key file.

        Raises
        ------
        SettingError
            If it cannot be read, a line is none of a key, or there is no key.
        """
        try:
            lines = path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise _unusable(f"key file {path}", "a text file of keys", "none") from error
        keys = []
        for number, line in enumerate(lines, start=1):
            if not line.strip() or line.startswith("#"):
                continue
            match = _LINE.fullmatch(line.strip())
            scopes = frozenset(match["scopes"].split(",")) if match else frozenset()
            if match is None or not scopes <= set(SCOPES):
                raise _unusable(f"key file {path}, line {number}", "SCOPES HASH NAME", "another")
            keys.append((bytes.fromhex(match["hash"]), scopes))
        if not keys:
            raise _unusable(f"key file {path}", "at least one key", "none")
        return cls(keys)

    def check(self, authorization: str | None, scope: str) -> None:
        """Let a request through that brings a key with this scope.

        Every known key is compared in constant time, whether one matched before or not.

        Raises
        ------
        RequestError
            401 without a known key, 403 if the key has other scopes.
        """
        given = authorization or ""
        is_bearer = given[:7].lower() == "bearer " and len(given) <= _LONGEST
        digest = hashlib.sha256(given[7:].strip().encode("utf-8", "replace")).digest()
        found: frozenset[str] | None = None
        for known, scopes in self._keys:
            if hmac.compare_digest(known, digest):
                found = scopes
        if found is None or not is_bearer:
            raise RequestError(
                status=401,
                where="header 'Authorization'",
                expected="'Bearer KEY' with a known key",
                got="none" if authorization is None else "another",
                remedy="Ask whoever runs this server for a key.",
                code="DT280",
            )
        if scope not in found:
            raise RequestError(
                status=403,
                where="the key",
                expected=f"one that may {scope}",
                got="one that may not",
                remedy="Use a key with this scope.",
                code="DT281",
            )


def make_key(scopes: Sequence[Scope], name: str = "") -> tuple[str, str]:
    """Make a key: the secret for the client, and the line for the server's key file.

    Examples
    --------
    >>> secret, line = make_key(["predict"], "shop")
    >>> secret.startswith("dt_"), line.startswith("predict "), secret in line
    (True, True, False)
    """
    secret = f"dt_{secrets.token_urlsafe(32)}"
    digest = hashlib.sha256(secret.encode("ascii")).hexdigest()
    return secret, f"{','.join(scopes)} {digest} {name}".rstrip()


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that was made; ``key`` is shown this once, the file holds its hash."""

    key: str
    file: str
    scopes: tuple[Scope, ...]
    name: str


def add_key(path: Path, scopes: Sequence[Scope], name: str = "") -> NewKey:
    """Make a key and add its line to a key file, which is made, for its owner alone, if need be.

    Raises
    ------
    SettingError
        If the file is none of keys, no scope is given, or the name is more than one line.
    ResourceError
        If the file cannot be written.
    """
    if not scopes or not name.isprintable():
        raise SettingError(
            where="setting 'name'" if scopes else "setting 'scopes'",
            expected="one line" if scopes else f"at least one of {', '.join(SCOPES)}",
            got=Value(name) if scopes else "none",
            remedy="Give another.",
            code="DT2BK",
        )
    old = b""
    mode = 0o600
    if path.exists():
        Keys.read(path)
        old, mode = path.read_bytes(), path.stat().st_mode & 0o777
    if old and not old.endswith(b"\n"):
        old += b"\n"
    chosen = tuple(dict.fromkeys(scopes))
    secret, line = make_key(chosen, name)
    try:
        write_file(path, old + line.encode() + b"\n")
        os.chmod(path, mode)
    except OSError as error:
        raise ResourceError(
            where=str(path),
            expected="a file that can be written",
            got=error.strerror or "no access",
            remedy="Name a file in a folder that is there and yours.",
            code="DT2BL",
        ) from error
    return NewKey(key=secret, file=str(path), scopes=chosen, name=name)


def _unusable(where: str, expected: str, got: str) -> SettingError:
    return SettingError(
        where=where,
        expected=expected,
        got=got,
        remedy="Make lines with: drivetrain key FILE",
        code="DT282",
    )
