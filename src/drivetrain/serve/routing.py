"""From a method and a path to a route, in one dictionary look-up for most requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import unquote

from drivetrain.core.errors import RequestError, SettingError, UnknownNameError
from drivetrain.serve.protocol import Protocol, Route

Found = tuple[Route, Protocol, Mapping[str, str]]
_KNOWN_PATHS = 256  # how many paths with names in them are remembered


class RoutingTable:
    """All routes of the protocols that are served.

    Raises
    ------
    SettingError
        If two protocols claim the same method and path.
    """

    def __init__(self, protocols: Mapping[str, Protocol]) -> None:
        self._plain: dict[str, dict[str, Found]] = {}
        self._open: list[tuple[tuple[str, ...], dict[str, tuple[Route, Protocol]]]] = []
        self._known: dict[tuple[str, str], Found] = {}
        claimed: dict[tuple[str, tuple[str, ...]], str] = {}
        for title, protocol in protocols.items():
            for route in protocol.routes:
                parts = tuple(route.pattern.split("/"))
                shape = tuple("{}" + _end(part) if _is_open(part) else part for part in parts)
                other = claimed.setdefault((route.method, shape), title)
                if other != title:
                    raise _collision(route, other, title)
                self._add(route, protocol, parts)

    def find(self, method: str, path: str) -> Found:
        """Return the route of a request, its protocol, and the names in its path.

        ``path`` is percent-encoded still, so that an encoded slash separates nothing.

        Raises
        ------
        UnknownNameError
            If no route has this path (404).
        RequestError
            If none has it with this method (405).
        """
        if method == "HEAD":  # answered as GET; the server leaves the body out
            method = "GET"
        by_method = self._plain.get(path)
        if by_method is not None:
            found = by_method.get(method)
            if found is not None:
                return found
            raise _wrong_method(by_method)
        known = self._known.get((method, path))
        return known if known is not None else self._find_open(method, path)

    def allowed(self, path: str) -> list[str]:
        """List the methods with which a path is served."""
        by_method: Iterable[str] = self._plain.get(path, ())
        if not by_method:
            parts = path.split("/")
            matches = (routes for pattern, routes in self._open if _match(pattern, parts))
            by_method = next(matches, ())
        return sorted({*by_method, *(("HEAD",) if "GET" in by_method else ())})

    def methods(self) -> Iterable[tuple[str, str, Route]]:
        """List (method, pattern, route) of everything that is served."""
        for by_method in self._plain.values():
            for route, _, _ in by_method.values():
                yield route.method, route.pattern, route
        for _, routes in self._open:
            for route, _ in routes.values():
                yield route.method, route.pattern, route

    def _add(self, route: Route, protocol: Protocol, parts: tuple[str, ...]) -> None:
        if not any(_is_open(part) for part in parts):
            self._plain.setdefault(route.pattern, {})[route.method] = (route, protocol, {})
            return
        for known, routes in self._open:
            if known == parts:
                routes[route.method] = (route, protocol)
                return
        self._open.append((parts, {route.method: (route, protocol)}))
        # `{model}:predict` before `{model}`, which would match the same path
        self._open.sort(key=lambda item: -sum(len(_end(part)) for part in item[0]))

    def _find_open(self, method: str, path: str) -> Found:
        parts = path.split("/")
        for pattern, routes in self._open:
            names = _match(pattern, parts)
            if names is None:
                continue
            if method not in routes:
                raise _wrong_method(routes)
            found = (*routes[method], names)
            if len(self._known) < _KNOWN_PATHS and len(path) < 512:
                self._known[method, path] = found
            return found
        raise UnknownNameError(
            where="the path",
            expected="a path that is served here",
            got="another",
            remedy="See GET /v2 and the documentation for what is served.",
            code="DT253",
        )


def _is_open(part: str) -> bool:
    return part.startswith("{")


def _end(part: str) -> str:
    """Return what follows the name in an open part: ``:predict`` of ``{model}:predict``."""
    return part.partition("}")[2]


def _match(pattern: tuple[str, ...], parts: list[str]) -> dict[str, str] | None:
    if len(pattern) != len(parts):
        return None
    names = {}
    for expected, part in zip(pattern, parts, strict=True):
        if _is_open(expected):
            name, end = expected[1:].split("}")
            if not part.endswith(end) or len(part) == len(end):
                return None
            names[name] = unquote(part[: len(part) - len(end)])
        elif expected != part:
            return None
    return names


def _wrong_method(routes: Mapping[str, object]) -> RequestError:
    return RequestError(
        status=405,
        where="the method",
        expected=" or ".join(sorted(routes)),
        got="another",
        remedy="Send the request with that method.",
        code="DT2B6",
    )


def _collision(route: Route, first: str, second: str) -> SettingError:
    return SettingError(
        where=f"protocols '{first}' and '{second}'",
        expected="different routes",
        got=f"{route.method} {route.pattern} in both",
        remedy="Serve only one of them.",
        code="DT215",
    )
