"""Attacks of docs/security.md on the server that no other test holds."""

from __future__ import annotations

import importlib
import pkgutil
import re
import time
from typing import Any

import msgspec
import pytest

from drivetrain.serve.app import App
from drivetrain.serve.service import Served, Service
from drivetrain.serve.settings import ServeSettings
from drivetrain.testing.asgi_client import AsgiClient
from drivetrain.testing.tabular_model import TabularModel


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


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd", "/%2e%2e%2fetc/passwd", "/%252e%252e%252fetc/passwd", "/..%5cetc",
        "//etc/passwd", "/%00", "/v2/models/%2e%2e", "/v2/models/%2fetc%2fpasswd", "/~root",
        "/v2/models/tabular/versions/..%2f..%2fmanifest.json", "/manifest.json", "/model.onnx",
        "/%ef%bc%8e%ef%bc%8e/etc/passwd", "/v2/models/" + "a" * 8000, "/v1/models/..:predict",
        "/page.js", "/v2/models/tabular/../../../model.onnx",
    ],
)  # fmt: skip
def test_19_a_path_leads_nowhere_in_any_spelling(client: AsgiClient, path: str) -> None:
    for method in ("GET", "POST"):
        reply = client.ask(method, path, b"{}" if method == "POST" else b"")
        assert reply.status in (400, 404, 405), path
        assert b"root:" not in reply.body and b"passwd" not in reply.body


def patterns() -> dict[str, re.Pattern[Any]]:
    """All patterns of the modules that read what a client sends."""
    found = {}
    for package in ("drivetrain.serve", "drivetrain.runtime"):
        folder = importlib.import_module(package).__path__
        for module in pkgutil.walk_packages(folder, f"{package}."):
            for name, value in vars(importlib.import_module(module.name)).items():
                if isinstance(value, re.Pattern):
                    found[f"{module.name}.{name}"] = value
    return found


def test_64_patterns_on_a_clients_text_are_linear() -> None:
    assert len(patterns()) > 5
    hard = ("0" * 100_000 + "x", "1e" * 50_000, "a," * 50_000 + "!", " " * 100_000 + "x")
    for name, pattern in patterns().items():
        began = time.process_time()
        for text in hard:
            subject: Any = text if isinstance(pattern.pattern, str) else text.encode()
            pattern.match(subject)
            pattern.fullmatch(subject)
        assert time.process_time() - began < 1, name  # a hundredth; a quadratic one takes minutes


@pytest.mark.parametrize("path", PATHS)
def test_64_a_megabyte_of_digits_is_no_number_at_once(client: AsgiClient, path: str) -> None:
    began = time.process_time()
    for text in ("0" * 1_000_000 + "x", "1." + "0" * 1_000_000 + "e", "1e" + "9" * 1_000_000):
        assert ask(client, ROW | {"hours": text}, path) in (200, 400)
    assert time.process_time() - began < 2
