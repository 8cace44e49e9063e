"""The conformance suite of protocols: supply one fixture ``protocol``, inherit the tests.

::

    class TestMine(ProtocolConformance):
        @pytest.fixture
        def protocol(self):
            return my_protocol
"""

from __future__ import annotations

import math
import os
import uuid
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from drivetrain.core.contract import Column, Contract
from drivetrain.serve.app import App
from drivetrain.serve.protocol import Call, OutputName, Protocol
from drivetrain.serve.service import Served, Service
from drivetrain.serve.settings import ServeSettings
from drivetrain.testing.asgi_client import AsgiClient, Response
from drivetrain.testing.tabular_model import TabularModel

SECRET = "Zx9-s3cret-q7"
EXAMPLES = int(os.environ.get("DRIVETRAIN_MUTATED_REQUESTS", "300"))
_OUTPUTS: tuple[OutputName, ...] = ("prediction", "probabilities")
_EXTRAS: tuple[OutputName, ...] = ("lower", "upper", "set", "out_of_range")


def serving(protocol: Protocol, model: Any = None, **given_settings: Any) -> AsgiClient:
    """Serve a model by one protocol, in this process."""
    chosen = ServeSettings(**given_settings)
    service = Service(max_rows=chosen.max_rows)
    service.swap(Served(model or TabularModel()))
    return AsgiClient(App(service, chosen, protocols={"tested": protocol}))


def send(client: AsgiClient, call: Call, body: bytes | None = None) -> Response:
    """Send a protocol's own call, perhaps with another body."""
    headers = {"content-type": call.media}
    return client.ask(call.method, call.path, call.body if body is None else body, headers=headers)


def line_of(reply: Response) -> str:
    """Return the text of an error's body, and make sure that it is JSON with one line in it."""
    told = msgspec.json.decode(reply.body)
    assert isinstance(told, dict)
    (line,) = (value for value in told.values() if isinstance(value, str) and "[DT" in value)
    assert "\n" not in line and "Traceback" not in line and ".py" not in line
    return line


class ProtocolConformance:
    """Laws that every protocol keeps."""

    @pytest.fixture
    def protocol(self) -> Protocol:
        """Return the protocol under test."""
        raise NotImplementedError("give a fixture 'protocol'")

    @pytest.mark.parametrize("count", [1, 2, 3, 400])
    @pytest.mark.parametrize("output", _OUTPUTS)
    def test_answers_equal_the_model(
        self, protocol: Protocol, count: int, output: OutputName
    ) -> None:
        model = TabularModel()
        rows = model.rows(count, seed=count)
        expected = model.run(model.admit(rows).columns)[output]
        with serving(protocol, model) as client:
            reply = send(client, protocol.call(model.contract, "tabular", rows, output))
        assert reply.status == 200, reply.body
        found = protocol.read(reply.body, output)
        assert np.array_equal(np.array(found, dtype=expected.dtype), expected)

    @pytest.mark.parametrize("output", _EXTRAS)
    def test_all_that_a_bundle_was_asked_for_can_be_asked_of_it(
        self, protocol: Protocol, output: OutputName
    ) -> None:
        task = "regression" if output in ("lower", "upper") else "multiclass"
        model = TabularModel(task, extras=True)
        for rows in (model.rows(1), model.rows(3)):
            expected = model.run(model.admit(rows).columns)[output]
            with serving(protocol, model) as client:
                reply = send(client, protocol.call(model.contract, "tabular", rows, output))
            assert reply.status == 200, reply.body
            assert protocol.read(reply.body, output) == expected.tolist()

    @pytest.mark.parametrize("output", _EXTRAS)
    def test_what_a_bundle_was_not_asked_for_is_400(
        self, protocol: Protocol, output: OutputName
    ) -> None:
        model = TabularModel()
        with serving(protocol, model) as client:
            call = protocol.call(model.contract, "tabular", model.rows(1), output)
            reply = send(client, call)
        assert reply.status == 400
        line_of(reply)

    def test_an_answer_names_its_prediction_and_its_model(self, protocol: Protocol) -> None:
        model = TabularModel()
        call = protocol.call(model.contract, "tabular", model.rows(2), "prediction")
        with serving(protocol, model) as client:
            replies = [send(client, call) for _ in range(2)]
        first, second = (uuid.UUID(reply.headers["x-prediction-id"]) for reply in replies)
        assert first.version == 7
        assert first != second
        assert replies[0].headers["x-model-version"] == model.manifest.content_hash[:12]

    def test_a_row_alone_is_answered_as_in_a_batch(self, protocol: Protocol) -> None:
        model = TabularModel()
        rows = model.rows(6, seed=3)
        with serving(protocol, model) as client:
            whole = self._ask(client, protocol, model, rows)
            single = [self._ask(client, protocol, model, [row])[0] for row in rows]
        assert whole == single

    def test_every_column_reaches_the_model(self, protocol: Protocol) -> None:
        model = TabularModel()
        (row, other) = ({**model.rows(1, seed=5)[0], "member": flag} for flag in (True, False))
        changed = {
            "age": 77.0, "hours": 1.5, "member": other["member"], "job": "unheard of",
            "note": "another", "since": "1999-12-31T23:59:59Z", "size": [4.0, 2.0],
        }  # fmt: skip
        with serving(protocol, model) as client:
            before = self._ask(client, protocol, model, [row])
            for name, cell in changed.items():
                after = self._ask(client, protocol, model, [{**row, name: cell}])
                assert after != before, name

    def test_doubles_arrive_bit_for_bit(self, protocol: Protocol) -> None:
        for value in (0.1 + 0.2, 5e-324, 1.7976931348623157e308, -0.0, 1e16 + 2):
            model = TabularModel("regression", answer=value)
            with serving(protocol, model) as client:
                call = protocol.call(model.contract, "tabular", model.rows(1), "prediction")
                (found,) = protocol.read(send(client, call).body, "prediction")
            assert math.copysign(1, found) == math.copysign(1, value)
            assert float(found) == value

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_an_answer_that_is_no_number_is_valid_json(
        self, protocol: Protocol, value: float
    ) -> None:
        model = TabularModel("regression", answer=value)
        with serving(protocol, model) as client:
            call = protocol.call(model.contract, "tabular", model.rows(2), "prediction")
            reply = send(client, call)
        assert reply.status == 200
        assert protocol.read(reply.body, "prediction") == [None, None]

    def test_no_rows_are_no_answers(self, protocol: Protocol) -> None:
        model = TabularModel()
        with serving(protocol, model) as client:
            reply = send(client, protocol.call(model.contract, "tabular", [], "prediction"))
        assert (reply.status, protocol.read(reply.body, "prediction")) == (200, [])

    def test_a_row_of_nothing_but_missing_cells_is_answered(self, protocol: Protocol) -> None:
        model = TabularModel()
        row = {column.name: None for column in model.contract.columns} | {"size": [None, None]}
        with serving(protocol, model) as client:
            assert len(self._ask(client, protocol, model, [row, row])) == 2

    @pytest.mark.parametrize("column", ["age", "member", "since"])
    @pytest.mark.parametrize("row", [0, 2])
    def test_a_bad_cell_is_named_by_row_and_column_and_never_shown(
        self, protocol: Protocol, column: str, row: int
    ) -> None:
        model = TabularModel()
        rows = model.rows(3)
        rows[row][column] = SECRET
        with serving(protocol, model) as client:
            reply = send(client, protocol.call(model.contract, "tabular", rows, "prediction"))
        assert reply.status == 400
        line = line_of(reply)
        assert f"column '{column}'" in line
        assert f"row {row}" in line
        assert f"a text of {len(SECRET)} characters" in line
        assert SECRET not in str(reply)

    def test_values_are_shown_where_the_server_is_told_so(self, protocol: Protocol) -> None:
        model = TabularModel()
        rows = [{**model.rows(1)[0], "age": SECRET}]
        with serving(protocol, model, echo_values=True) as client:
            reply = send(client, protocol.call(model.contract, "tabular", rows, "prediction"))
        assert SECRET in line_of(reply)

    def test_a_missing_column_is_named(self, protocol: Protocol) -> None:
        model = TabularModel()
        fewer = Contract(columns=tuple(c for c in model.contract.columns if c.name != "job"))
        with serving(protocol, model) as client:
            for count in (1, 2):
                call = protocol.call(fewer, "tabular", model.rows(count), "prediction")
                reply = send(client, call)
                assert reply.status == 400
                assert "column 'job'" in line_of(reply)

    def test_an_extra_column_is_counted_and_changes_nothing(self, protocol: Protocol) -> None:
        model = TabularModel()
        extra = Column(name="colour", kind="category")
        more = Contract(columns=(extra, *model.contract.columns))
        rows = [{**row, "colour": "red"} for row in model.rows(3)]
        with serving(protocol, model) as client:
            reply = send(client, protocol.call(more, "tabular", rows, "prediction"))
            assert client.app.service.breaches["colour", "extra_column"] == 3
            found = protocol.read(reply.body, "prediction")
            assert found == [label for label, _ in self._ask(client, protocol, model, rows)]

    def test_breaches_that_pass_are_counted(self, protocol: Protocol) -> None:
        model = TabularModel()
        rows = [{**model.rows(1)[0], "job": "unheard of"}] * 2
        with serving(protocol, model) as client:
            send(client, protocol.call(model.contract, "tabular", rows, "prediction"))
            assert client.app.service.breaches["job", "unseen"] == 2

    def test_too_many_rows_are_413(self, protocol: Protocol) -> None:
        model = TabularModel()
        with serving(protocol, model, max_rows=3) as client:
            assert len(self._ask(client, protocol, model, model.rows(3))) == 3
            call = protocol.call(model.contract, "tabular", model.rows(4), "prediction")
            assert send(client, call).status == 413

    def test_a_body_that_is_too_large_is_413(self, protocol: Protocol) -> None:
        model = TabularModel()
        call = protocol.call(model.contract, "tabular", model.rows(1), "prediction")
        with serving(protocol, model, max_body_bytes=len(call.body) - 1) as client:
            assert send(client, call).status == 413
            parts = client.ask("POST", call.path, call.body, parts=7)
            assert parts.status == 413

    def test_a_body_in_many_parts_is_one_body(self, protocol: Protocol) -> None:
        model = TabularModel()
        call = protocol.call(model.contract, "tabular", model.rows(2), "prediction")
        with serving(protocol, model) as client:
            headers = {"content-type": call.media}
            parts = client.ask("POST", call.path, call.body, headers=headers, parts=50)
            whole = send(client, call)
        assert (parts.status, whole.status) == (200, 200)
        read = [protocol.read(reply.body, "prediction") for reply in (parts, whole)]
        assert read[0] == read[1]

    def test_another_media_type_is_415(self, protocol: Protocol) -> None:
        model = TabularModel()
        call = protocol.call(model.contract, "tabular", model.rows(1), "prediction")
        with serving(protocol, model) as client:
            for media in (
                "application/x-python-pickle", "application/json; charset=latin-1", "text/html",
                "<script>alert(1)</script>",
            ):  # fmt: skip
                reply = client.post(call.path, call.body, media=media)
                assert reply.status == 415
                assert media not in str(reply)
            headers = {"content-type": call.media, "content-encoding": "gzip"}
            assert client.ask("POST", call.path, call.body, headers=headers).status == 415

    def test_another_method_is_405(self, protocol: Protocol) -> None:
        model = TabularModel()
        path = protocol.call(model.contract, "tabular", model.rows(1), "prediction").path
        with serving(protocol, model) as client:
            for method in ("GET", "PUT", "DELETE", "PATCH", "NONSENSE"):
                reply = client.ask(method, path)
                assert (reply.status, reply.headers["allow"]) == (405, "POST")

    @pytest.mark.parametrize(
        "body",
        [
            b"", b"null", b"[]", b"7", b'"text"', b"{}", b"{", b"[" * 250_000, b'{"a":' * 250_000,
            b"\xff\xfe", b'{"inputs": "\xff"}', b"\xef\xbb\xbf{}", b'{"inputs": NaN}', b"\x00",
            b'{"instances": [[1e999]]}', b'{"inputs": "\\ud800"}', b'{"inputs": null}',
            b'{"inputs":' + b"9" * 5000 + b"}",
        ],
        ids=lambda body: repr(body[:16]),
    )  # fmt: skip
    def test_a_body_of_another_form_is_400(self, protocol: Protocol, body: bytes) -> None:
        model = TabularModel()
        call = protocol.call(model.contract, "tabular", model.rows(1), "prediction")
        with serving(protocol, model) as client:
            reply = send(client, call, body)
        assert reply.status == 400
        line_of(reply)

    def test_a_truncated_body_is_400(self, protocol: Protocol) -> None:
        model = TabularModel()
        call = protocol.call(model.contract, "tabular", model.rows(1), "prediction")
        with serving(protocol, model) as client:
            for length in range(0, len(call.body), 7):
                assert send(client, call, call.body[:length]).status == 400

    def test_before_a_model_is_there_requests_are_503(self, protocol: Protocol) -> None:
        model = TabularModel()
        call = protocol.call(model.contract, "tabular", model.rows(1), "prediction")
        app = App(Service(), ServeSettings(), protocols={"tested": protocol})
        with AsgiClient(app) as client:
            reply = send(client, call)
        assert reply.status == 503
        assert reply.headers["retry-after"]

    def test_requests_that_come_while_draining_are_answered(self, protocol: Protocol) -> None:
        model = TabularModel()
        with serving(protocol, model) as client:
            client.app.service.drain()
            call = protocol.call(model.contract, "tabular", model.rows(1), "prediction")
            reply = send(client, call)
        assert reply.status == 200
        assert reply.headers["connection"] == "close"

    def test_a_fault_of_the_model_is_one_line_without_details(self, protocol: Protocol) -> None:
        model = TabularModel()

        def fail(columns: object) -> Any:
            raise RuntimeError(SECRET)

        model.run = fail  # type: ignore[method-assign]
        with serving(protocol, model, echo_values=True) as client:
            call = protocol.call(model.contract, "tabular", model.rows(1), "prediction")
            reply = send(client, call)
        assert reply.status == 500
        assert SECRET not in str(reply)
        assert "[DT700]" in line_of(reply)

    def test_mutated_requests_are_answered_or_refused(self, protocol: Protocol) -> None:
        model = TabularModel()
        call = protocol.call(model.contract, "tabular", model.rows(2), "prediction")
        with serving(protocol, model) as client:
            _mutate_and_send(client, call)

    def _ask(
        self, client: AsgiClient, protocol: Protocol, model: TabularModel, rows: list[Any]
    ) -> list[Any]:
        """Ask for both outputs, and zip them."""
        answers = []
        for output in _OUTPUTS:
            reply = send(client, protocol.call(model.contract, "tabular", rows, output))
            assert reply.status == 200, reply.body
            answers.append(protocol.read(reply.body, output))
        return list(zip(*answers, strict=True))


_JUNK = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
        st.sampled_from([SECRET, 2**63, -(2**70), 1e308, "", "\x00", "NaN", "1e999", -1, 2**60]),
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)  # fmt: skip


def _places(value: Any) -> list[tuple[Any, Any]]:
    """List every (container, key) within a JSON value."""
    found = []
    keys = value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
    for key in keys:
        found += [(value, key), *_places(value[key])]
    return found


def _mutate_and_send(client: AsgiClient, call: Call) -> None:
    """Put junk into random places of a right request: never a 5xx, never a value in an error."""

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate],
    )  # fmt: skip
    @given(st.data())
    def mutate(data: st.DataObject) -> None:
        asked = msgspec.json.decode(call.body)
        for _ in range(data.draw(st.integers(1, 3))):
            container, key = data.draw(st.sampled_from(_places(asked)))
            change = data.draw(st.sampled_from(["replace", "drop", "double"]))
            if change == "replace":
                container[key] = data.draw(st.just(SECRET) | _JUNK)
            elif change == "drop":
                del container[key]
            elif isinstance(container, list):
                container.append(container[key])
            if not _places(asked):
                break
        reply = send(client, call, msgspec.json.encode(asked))
        assert reply.status in (200, 400, 413), reply
        msgspec.json.decode(reply.body)
        if reply.status != 200:
            assert SECRET not in line_of(reply).replace(f"column '{SECRET}'", "")

    mutate()
