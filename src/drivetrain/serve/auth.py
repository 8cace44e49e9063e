"""Bearer keys: who may predict, read and manage.

A key file has one key a line: its scopes joined by commas, the SHA-256 of the key in hex, and a
name for people. Keys are 32 random bytes, so a plain hash of one tells nothing about it. The file
is read when a worker starts; SIGHUP brings a changed one into use without loss.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from drivetrain.core.errors import RequestError, SettingError

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


def _unusable(where: str, expected: str, got: str) -> SettingError:
    return SettingError(
        where=where,
        expected=expected,
        got=got,
        remedy="Make lines with drivetrain.serve.auth.make_key().",
        code="DT282",
    )
