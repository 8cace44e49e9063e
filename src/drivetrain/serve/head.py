"""What a request's headers say of its body and its key, and what is refused for them unread."""

from __future__ import annotations

from drivetrain.core.errors import RequestError
from drivetrain.serve.protocol import JSON, Route

Headers = list[tuple[bytes, bytes]]
_JSON_TYPES = {b"application/json": JSON, b"application/json; charset=utf-8": JSON}


def media_of(route: Route, headers: Headers, most_bytes: int) -> str:
    """Return the media type of the body of a POST.

    Raises
    ------
    RequestError
        If the route does not read it, or the body is compressed or larger than ``most_bytes``.
    """
    media = route.media[0]
    for name, value in headers:
        if name == b"content-type":
            media = _JSON_TYPES.get(value) or _plain(value)
            if media not in route.media:
                raise _wrong_media(route)
        elif name == b"content-length":
            if len(value) > 19 or int(value) > most_bytes:
                raise too_large(most_bytes)
        elif name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            raise _encoded()
    return media


def authorization(headers: Headers) -> str | None:
    """Return the header of that name; two of them say nothing."""
    given = [value.decode("latin-1") for name, value in headers if name == b"authorization"]
    return given[0] if len(given) == 1 else None


def too_large(most_bytes: int) -> RequestError:
    """Return the error of a body beyond the limit."""
    return RequestError(
        status=413,
        where="the body",
        expected=f"at most {most_bytes} bytes",
        got="more",
        remedy="Send the rows in several requests.",
        code="DT269",
    )


def _plain(value: bytes) -> str:
    """Return a media type in lower case; '' for one in another charset than UTF-8."""
    media, *parameters = value.decode("latin-1").lower().split(";")
    for parameter in parameters:
        if parameter.strip() not in ("charset=utf-8", 'charset="utf-8"', ""):
            return ""
    return media.strip()


def _wrong_media(route: Route) -> RequestError:
    return RequestError(
        status=415,
        where="header 'Content-Type'",
        expected=" or ".join(route.media) + ", charset utf-8",
        got="another",
        remedy=f"Send the header 'Content-Type: {route.media[0]}'.",
        code="DT270",
    )


def _encoded() -> RequestError:
    return RequestError(
        status=415,
        where="header 'Content-Encoding'",
        expected="a body that is not compressed",
        got="a compressed one",
        remedy="Send the body as it is.",
        code="DT271",
    )
