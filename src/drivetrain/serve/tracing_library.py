"""Whether spans can be made: asked by the parent, which loads nothing that a worker needs."""

from __future__ import annotations

from drivetrain.core.errors import MissingLibraryError


def require_library() -> None:
    """Raise MissingLibraryError if the extra ``otel`` is not installed."""
    try:
        import opentelemetry.exporter.otlp.proto.http
        import opentelemetry.sdk.trace  # noqa: F401
    except ImportError as error:
        raise MissingLibraryError(
            where="--otel",
            expected="the libraries of OpenTelemetry",
            got="none",
            remedy="Install them: pip install 'drivetrain[otel]'",
            code="DT315",
        ) from error
