"""The attacks of the security review: which apply to the server, and the test that holds each.

Bundles are folders read file by file against a manifest, so tricks with archives (3–5, 14) find
nothing to unpack; there is no management API, no file API and no webhook (19–20, 22–26, 56).
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drivetrain.serve.app import App
from drivetrain.serve.service import Served, Service
from drivetrain.serve.settings import ServeSettings
from drivetrain.testing.asgi_client import AsgiClient
from drivetrain.testing.tabular_model import TabularModel

TESTS = Path(__file__).parents[2]
SUITE = Path(__file__).parents[3] / "src/drivetrain/testing/protocols.py"

# attack → the tests that hold it, as "file test_name", or why it does not apply
HELD: dict[int, tuple[str, ...]] = {
    6: ("unit/runtime/test_bundle.py test_external_data_is_found_however_deep",),
    8: ("unit/runtime/test_bundle.py test_a_changed_bundle_is_refused_with_its_file_and_a_remedy",),
    9: ("unit/runtime/test_bundle.py test_a_changed_bundle_is_refused_with_its_file_and_a_remedy",),
    11: ("integration/test_serve.py test_a_changed_bundle_is_never_served",),
    19: ("unit/serve/test_oip_v2.py test_models_and_versions_are_known_by_name",),
    21: ("unit/serve/test_oip_v2.py test_models_and_versions_are_known_by_name",),
    27: ("integration/test_serve.py test_invalid_http_is_400_and_closes",),
    28: ("integration/test_serve.py test_invalid_http_is_400_and_closes",),
    29: ("integration/test_serve.py test_a_body_that_stalls_is_408",),
    30: ("integration/test_serve_secure.py test_idle_and_slow_clients_hold_up_no_one",),
    31: ("integration/test_serve_secure.py test_many_small_chunks_cost_no_memory_for_good",),
    32: ("unit/serve/test_attacks.py test_32_a_compressed_body_is_415",),
    33: ("integration/test_serve.py test_headers_without_end_are_431",),
    34: ("unit/serve/test_attacks.py test_34_a_range_is_ignored",),
    35: ("unit/serve/test_metrics.py test_the_number_of_series_does_not_depend_on_clients",),
    36: ("integration/test_serve.py test_pipelined_requests_are_answered_in_order",),
    37: ("suite test_another_media_type_is_415",),
    38: ("suite test_another_media_type_is_415",),
    39: ("unit/serve/test_attacks.py test_39_a_boundary_without_end_is_415_at_once",),
    40: ("integration/test_serve_secure.py test_odd_but_legal_http_is_answered_or_refused",),
    41: ("suite test_a_body_of_another_form_is_400",),
    42: ("unit/serve/test_attacks.py test_42_numbers_at_the_edge_are_refused_or_defined",),
    43: ("unit/serve/test_attacks.py test_43_texts_that_are_none_are_400",),
    44: ("unit/serve/test_attacks.py test_44_many_or_equal_keys_are_bounded",),
    45: ("unit/serve/test_tritonclient.py test_a_spoilt_raw_request_is_an_invalid_argument",),
    46: ("suite test_mutated_requests_are_answered_or_refused",),
    47: ("unit/serve/test_tritonclient.py test_a_head_of_no_length_is_400",),
    48: ("unit/serve/test_tritonclient.py test_a_size_that_lies_is_400",),
    49: ("unit/serve/test_attacks.py test_49_a_text_of_megabytes_is_a_category_not_seen",),
    50: ("suite test_too_many_rows_are_413",),
    51: (
        "unit/serve/test_arrow_body.py test_a_body_cut_or_changed_anywhere_is_never_a_5xx",
        "unit/serve/test_arrow_body.py test_compressed_buffers_are_refused",
        "unit/serve/test_arrow_body.py test_extension_types_are_refused",
        "unit/serve/test_arrow_body.py test_offsets_that_point_outside_are_refused",
    ),
    52: (
        "unit/serve/test_tritonclient.py test_a_spoilt_raw_request_is_an_invalid_argument",
        "unit/serve/test_tritonclient.py test_bytes_that_are_no_message_or_too_many_are_refused",
    ),
    53: (
        "unit/serve/test_tritonclient.py test_bytes_that_are_no_message_or_too_many_are_refused",
    ),
    54: ("unit/serve/test_auth.py test_a_key_opens_what_its_scopes_say",),
    55: ("unit/serve/test_auth.py test_all_keys_are_compared_whichever_matches",),
    57: ("unit/serve/test_auth.py test_every_route_but_health_asks_for_a_key",),
    58: ("suite test_a_fault_of_the_model_is_one_line_without_details",),
    59: ("unit/serve/test_metrics.py test_a_line_of_the_log_is_one_line_whatever_the_path",),
    60: (
        "unit/serve/test_metrics.py test_the_number_of_series_does_not_depend_on_clients",
        "unit/serve/test_metrics.py test_names_of_columns_cannot_break_the_text",
    ),
    62: ("unit/serve/test_log.py test_a_private_column_is_left_out_or_hashed_with_the_key",),
    63: ("integration/test_serve_secure.py test_idle_and_slow_clients_hold_up_no_one",),
}  # fmt: skip
ELSEWHERE = "another room's: bundles, registry, reports"
NONE_SUCH = "there is nothing of the kind to attack"
NOT_HELD = {
    1: ELSEWHERE, 2: ELSEWHERE, 3: NONE_SUCH, 4: NONE_SUCH, 5: NONE_SUCH, 7: ELSEWHERE,
    10: "signatures are not verified by the server yet", 12: ELSEWHERE, 13: NONE_SUCH,
    14: NONE_SUCH, 15: ELSEWHERE, 16: ELSEWHERE, 17: ELSEWHERE, 18: ELSEWHERE, 20: NONE_SUCH,
    22: ELSEWHERE, 23: NONE_SUCH, 24: NONE_SUCH, 25: ELSEWHERE, 26: NONE_SUCH, 56: NONE_SUCH,
    61: ELSEWHERE, 64: "patterns on a client's text are linear: no group repeats a repetition",
}  # fmt: skip


def test_every_attack_is_held_by_a_test_or_does_not_apply() -> None:
    assert {*HELD, *NOT_HELD} == set(range(1, 65))
    assert not {*HELD} & {*NOT_HELD}
    for number, references in HELD.items():
        for reference in references:
            file, name = reference.split()
            text = (SUITE if file == "suite" else TESTS / file).read_text("utf-8")
            assert re.search(rf"def {name}\(", text), (number, reference)


def test_a_reference_to_no_test_would_be_found() -> None:
    text = (TESTS / "unit/serve/test_auth.py").read_text("utf-8")
    assert not re.search(r"def test_no_such_test\(", text)


@pytest.fixture
def client():  # type: ignore[no-untyped-def]
    service = Service()
    service.swap(Served(TabularModel()))
    with AsgiClient(App(service, ServeSettings())) as opened:
        yield opened


ROW = TabularModel().rows(1)[0]
PATHS = {
    "/invocations": "dataframe_records",
    "/v1/models/tabular:predict": "instances",
    "/score": "data",
}


def ask(client: AsgiClient, row: Any, path: str = "/invocations") -> int:
    rows = row if isinstance(row, bytes) else msgspec.json.encode([row])
    return client.post(path, b'{"%s": %s}' % (PATHS[path].encode(), rows)).status


def test_32_a_compressed_body_is_415(client: AsgiClient) -> None:
    for coding in ("gzip", "deflate", "br", "zstd", "gzip, gzip"):
        reply = client.ask(
            "POST", "/invocations", b"\x1f\x8b", headers={"content-encoding": coding}
        )
        assert reply.status == 415


def test_34_a_range_is_ignored(client: AsgiClient) -> None:
    headers = {"range": "bytes=" + ",".join(f"{n}-" for n in range(5000))}
    assert client.ask("GET", "/v2/health/live", headers=headers).body == b'{"live":true}'


def test_39_a_boundary_without_end_is_415_at_once(client: AsgiClient) -> None:
    media = "multipart/form-data; boundary=" + "-" * 1_000_000
    began = time.process_time()
    assert client.post("/invocations", b"--" * 1000, media=media).status == 415
    assert time.process_time() - began < 1


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("number", "statuses"),
    [
        ("1e999", {400}), ("-1e999", {400}), ("NaN", {400}), ("Infinity", {400}), ("-0", {200}),
        ("1" * 400, {200, 400}), ("1" * 5000, {200, 400}), ("18446744073709551616", {200}),
        ("1e-999", {200}), ("01", {400}), ("0x1", {400}), ("1_0", {400}), ("+1", {400}),
    ],
)  # fmt: skip
def test_42_numbers_at_the_edge_are_refused_or_defined(
    client: AsgiClient, path: str, number: str, statuses: set[int]
) -> None:
    body = msgspec.json.encode([ROW | {"hours": "HERE"}]).replace(b'"HERE"', number.encode())
    assert ask(client, body, path) in statuses


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "text", [b'"\xff"', b'"\\ud800"', b'"\\udc00\\ud800"', b'"\xed\xa0\x80"', b'"\x01"', b'"a']
)
def test_43_texts_that_are_none_are_400(client: AsgiClient, path: str, text: bytes) -> None:
    body = msgspec.json.encode([ROW | {"job": "HERE"}])
    assert ask(client, body.replace(b'"HERE"', text), path) == 400
    assert ask(client, b"\xef\xbb\xbf" + body, path) == 400
    assert ask(client, body.replace(b'"HERE"', b'"a\\u0000b"'), path) in (200, 400)


@pytest.mark.parametrize("path", PATHS)
def test_44_many_or_equal_keys_are_bounded(client: AsgiClient, path: str) -> None:
    one = msgspec.json.encode(ROW)
    twice = b"[" + one[:-1] + b"," + one[1:] + b"]"
    assert ask(client, twice, path) == 200  # the last of them counts, as everywhere in JSON
    many = b"[" + one[:-1] + b"".join(b',"k%d":1' % n for n in range(200_000)) + b"}]"
    assert ask(client, many, path) == 200
    assert len(client.app.service.breaches) <= 10_010


@pytest.mark.parametrize("path", PATHS)
def test_49_a_text_of_megabytes_is_a_category_not_seen(client: AsgiClient, path: str) -> None:
    assert ask(client, ROW | {"job": "x" * 10_000_000}, path) == 200
    assert client.app.service.breaches["job", "unseen"] == 1
    nothing = dict.fromkeys(ROW) | {"size": [None, None]}
    assert ask(client, nothing, path) == 200
