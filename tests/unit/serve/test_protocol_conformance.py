"""Every protocol keeps the laws, and protocols that don't are found out."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivetrain.core.errors import DrivetrainError
from drivetrain.serve import protocols
from drivetrain.serve.protocol import PROTOCOLS, Protocol, Reply, Request, Route
from drivetrain.serve.service import Service
from drivetrain.testing.protocols import ProtocolConformance

FILES = sorted(
    file.stem
    for folder in protocols.__path__
    for file in Path(folder).glob("*.py")
    if not file.stem.startswith("_")
)


class TestShippedProtocols(ProtocolConformance):
    @pytest.fixture(params=PROTOCOLS.names())
    def protocol(self, request: pytest.FixtureRequest) -> Protocol:
        return PROTOCOLS.load(request.param)


def test_the_suite_runs_over_every_file_of_the_folder(request: pytest.FixtureRequest) -> None:
    laws = [name for name in dir(ProtocolConformance) if name.startswith("test_")]
    collected = {item.name for item in request.session.items if "TestShipped" in item.nodeid}
    assert len(laws) >= 20
    for file in FILES:
        for law in laws:
            assert any(name.startswith(law) and file in name for name in collected), (law, file)


class Tampered(Protocol):
    """A shipped protocol whose prediction handler has a fault."""

    title = "tampered"

    def __init__(self, name: str) -> None:
        self._sound = PROTOCOLS.load(name)
        self.error = self._sound.error  # type: ignore[method-assign]
        self.call = self._sound.call  # type: ignore[method-assign]
        self.read = self._sound.read  # type: ignore[method-assign]
        self.routes = tuple(
            Route(route.method, route.pattern, self._wrap(route), route.media)
            for route in self._sound.routes
        )

    def _wrap(self, route: Route):  # type: ignore[no-untyped-def]
        if route.method == "GET":
            return route.handler
        return lambda request, service: self.tamper(route, request, service)

    def tamper(self, route: Route, request: Request, service: Service) -> Reply:
        raise NotImplementedError


class LeaksValues(Tampered):
    def tamper(self, route: Route, request: Request, service: Service) -> Reply:
        try:
            return route.handler(request, service)
        except DrivetrainError as error:
            return Reply(self.error(400, error.line()), status=400)


class FaultsOnBadInput(Tampered):
    def tamper(self, route: Route, request: Request, service: Service) -> Reply:
        try:
            return route.handler(request, service)
        except DrivetrainError as error:
            raise ValueError("unexpected") from error


class SwapsColumns(Tampered):
    def tamper(self, route: Route, request: Request, service: Service) -> Reply:
        body = request.body.replace(b'"age"', b'"_"').replace(b'"hours"', b'"age"')
        swapped = Request(body.replace(b'"_"', b'"hours"'), request.media, request.names)
        return route.handler(swapped, service)


class RoundsAnswers(Tampered):
    def tamper(self, route: Route, request: Request, service: Service) -> Reply:
        reply = route.handler(request, service)
        return Reply(reply.body.replace(b"1.7976931348623157e308", b"1.79e308"), reply.status)


class HidesTheRow(Tampered):
    def tamper(self, route: Route, request: Request, service: Service) -> Reply:
        try:
            return route.handler(request, service)
        except DrivetrainError as error:
            line = error.private_line().replace("row", "somewhere")
            return Reply(self.error(400, line), status=400)


class WritesNaN(Tampered):
    def tamper(self, route: Route, request: Request, service: Service) -> Reply:
        reply = route.handler(request, service)
        return Reply(reply.body.replace(b"null", b"NaN"), reply.status)


SUITE = ProtocolConformance()
bad_cell = SUITE.test_a_bad_cell_is_named_by_row_and_column_and_never_shown
answers = SUITE.test_answers_equal_the_model


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("fault", "law"),
    [
        (LeaksValues, lambda tested: bad_cell(tested, "age", 0)),
        (FaultsOnBadInput, lambda tested: bad_cell(tested, "age", 0)),
        (FaultsOnBadInput, SUITE.test_mutated_requests_are_answered_or_refused),
        (SwapsColumns, lambda tested: answers(tested, 3, "probabilities")),
        (RoundsAnswers, SUITE.test_doubles_arrive_bit_for_bit),
        (HidesTheRow, lambda tested: bad_cell(tested, "age", 2)),
        (
            WritesNaN,
            lambda t: SUITE.test_an_answer_that_is_no_number_is_valid_json(t, float("nan")),
        ),
    ],
)
def test_a_seeded_fault_turns_the_suite_red(name, fault, law) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises((AssertionError, ValueError, ExceptionGroup)):
        law(fault(name))


@pytest.mark.parametrize("name", FILES)
def test_an_untampered_protocol_is_not_red(name: str) -> None:
    class Sound(Tampered):
        def tamper(self, route: Route, request: Request, service: Service) -> Reply:
            return route.handler(request, service)

    answers(Sound(name), 3, "probabilities")
    bad_cell(Sound(name), "age", 2)
    SUITE.test_doubles_arrive_bit_for_bit(Sound(name))
