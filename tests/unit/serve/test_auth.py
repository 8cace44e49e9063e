"""Bearer keys: who gets in, who does not, and what neither learns."""

from __future__ import annotations

import hmac
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import grpc
import numpy as np
import pytest

from drivetrain.cli.main import main
from drivetrain.core.errors import RequestError, SettingError
from drivetrain.serve.app import App
from drivetrain.serve.auth import Keys, add_key, make_key
from drivetrain.serve.grpc_messages import SERVICE, messages
from drivetrain.serve.grpc_server import GrpcServer
from drivetrain.serve.service import Served, Service
from drivetrain.serve.settings import ServeSettings
from drivetrain.testing.asgi_client import AsgiClient
from drivetrain.testing.tabular_model import TabularModel

PROVES = bool(os.environ.get("DRIVETRAIN_PROVE"))
PREDICT, PREDICT_LINE = make_key(["predict"], "shop")
READ, READ_LINE = make_key(["read"])
BOTH, BOTH_LINE = make_key(["read", "predict"])
BODY = b'{"dataframe_records": []}'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    file.write_text(f"# who\n\n{PREDICT_LINE}\n{READ_LINE}\n  {BOTH_LINE}  \n")
    return file


@pytest.fixture
def client(path: Path) -> Iterator[AsgiClient]:
    service = Service()
    service.swap(Served(TabularModel()))
    with AsgiClient(App(service, ServeSettings(keys=str(path)))) as opened:
        yield opened


def ask(client: AsgiClient, method: str, path: str, key: str | None) -> int:
    headers = {} if key is None else {"authorization": key}
    return client.ask(method, path, BODY if method == "POST" else b"", headers=headers).status


def seconds_of(check: Callable[[str], object], given: Sequence[str]) -> list[list[float]]:
    """Time each text many times over, in an order drawn each time: places differ by caches."""
    found: list[list[float]] = [[] for _ in given]
    for _ in range(20_000):
        for place in random.sample(range(len(given)), len(given)):
            began = time.perf_counter()
            check(given[place])
            found[place].append(time.perf_counter() - began)
    return found


def differ_by(first: list[float], second: list[float]) -> float:
    """Return how many standard errors two samples are apart by their ranks (Mann-Whitney)."""
    ranks = np.argsort(np.argsort(first + second, kind="stable"))
    n, m = len(first), len(second)
    mean, deviation = n * (n + m - 1) / 2, (n * m * (n + m + 1) / 12) ** 0.5
    return float(abs(ranks[:n].sum() - mean) / deviation)


@pytest.mark.skipif(not PROVES, reason="timed: DRIVETRAIN_PROVE=1 runs it")
def test_no_time_tells_how_much_of_a_key_is_right() -> None:
    """The digest of a wrong key shares its first or its last bytes with the right one, or none."""
    secret, line = make_key(["predict"])
    keys = Keys([(bytes.fromhex(line.split()[1]), frozenset({"predict"}))])
    other = "A" if secret[3] != "A" else "B"
    wrong = [f"dt_{other}{secret[4:]}", secret[:-1] + ("A" if secret[-1] != "A" else "B")]

    def check(given: str) -> None:
        with suppress(RequestError):
            keys.check(f"Bearer {given}", "predict")

    def naive(given: str) -> bool:  # what the test would find
        return all(a == b for a, b in zip(given, secret, strict=True))

    first, last = seconds_of(check, wrong)
    print(f"{differ_by(first, last):.1f} standard errors apart by rank")
    assert differ_by(*seconds_of(naive, wrong)) > 20
    medians = np.median(first), np.median(last)
    assert abs(medians[0] - medians[1]) < 0.01 * medians[0]


@pytest.mark.parametrize(
    ("key", "predict", "read"),
    [
        (f"Bearer {PREDICT}", 200, 403),
        (f"bearer {PREDICT} ", 200, 403),
        (f"Bearer {READ}", 403, 200),
        (f"Bearer {BOTH}", 200, 200),
        (None, 401, 401),
        ("", 401, 401),
        ("Bearer", 401, 401),
        ("Bearer ", 401, 401),
        (PREDICT, 401, 401),
        (f"Basic {PREDICT}", 401, 401),
        (f"Bearer {PREDICT[:-1]}", 401, 401),
        (f"Bearer {PREDICT}x", 401, 401),
        (f"Bearer {PREDICT_LINE.split()[1]}", 401, 401),  # the hash is not the key
        ("Bearer " + "a" * 100_000, 401, 401),
        ("Bearer \x80\xff", 401, 401),
    ],
    ids=lambda value: "key" if isinstance(value, str) else None,  # keys differ in every process
)
def test_a_key_opens_what_its_scopes_say(
    client: AsgiClient, key: str | None, predict: int, read: int
) -> None:
    assert ask(client, "POST", "/invocations", key) == predict
    for path in ("/metrics", "/v2/models/tabular", "/v2", "/v1/models"):
        assert ask(client, "GET", path, key) == read
    for path in ("/v2/health/live", "/v2/health/ready", "/ping", "/health"):
        assert ask(client, "GET", path, key) == 200


def test_every_route_but_health_asks_for_a_key(client: AsgiClient) -> None:
    open_routes = {r.pattern for _, _, r in client.app.routes.methods() if r.is_open}
    deployed = "/v1/endpoints/{endpoint}/deployedModels/{deployed}"
    assert open_routes == {"/", "/v2/health/live", "/v2/health/ready", "/ping", "/health", deployed}
    for method, pattern, route in client.app.routes.methods():
        if not route.is_open:
            assert ask(client, method, pattern.replace("{model}", "tabular"), None) == 401


def test_a_refusal_tells_nothing_and_asks_for_bearer(client: AsgiClient) -> None:
    wrong = "Bearer s3cret-key"
    reply = client.ask("GET", "/metrics", headers={"authorization": wrong})
    assert reply.headers["www-authenticate"] == "Bearer"
    assert "s3cret" not in str(reply)
    for key in (READ, PREDICT, BOTH):
        assert key not in str(reply)


def test_a_key_in_the_path_or_a_second_header_is_no_key(client: AsgiClient) -> None:
    assert ask(client, "GET", f"/metrics?key={READ}", None) in (401, 404)
    with pytest.raises(RequestError):
        client.app.keys.check(None, "read")  # type: ignore[union-attr]


def test_all_keys_are_compared_whichever_matches(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []
    real = hmac.compare_digest

    def compare(known: bytes, given: bytes) -> bool:
        compared.append(known)
        return real(known, given)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    keys = Keys([(bytes([n]) * 32, frozenset({"read"})) for n in range(5)])
    with pytest.raises(RequestError):
        keys.check("Bearer x", "read")
    assert len(compared) == 5


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "predict abc\n", f"admin {'0' * 64}\n", f"predict {'0' * 63}\n"]
)
def test_a_key_file_of_another_form_is_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "keys"
    file.write_text(text)
    with pytest.raises(SettingError, match="DT282"):
        Keys.read(file)
    with pytest.raises(SettingError, match="DT282"):
        Keys.read(tmp_path / "absent")


def test_the_file_holds_no_secret(path: Path) -> None:
    text = path.read_text()
    assert PREDICT not in text
    assert READ not in text


def test_keys_are_asked_for_over_grpc_too(path: Path) -> None:
    service = Service()
    service.swap(Served(TabularModel()))
    server = GrpcServer(service, ServeSettings(grpc_port=0), allows=Keys.read(path).check)
    kinds = messages()
    expected = {None: "UNAUTHENTICATED", f"Bearer {PREDICT}": "PERMISSION_DENIED"}
    try:
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            for name, status in (("ServerLive", None), ("ServerMetadata", "asked")):
                method = channel.unary_unary(
                    f"/{SERVICE}/{name}",
                    request_serializer=kinds[f"{name}Request"].SerializeToString,
                    response_deserializer=kinds[f"{name}Response"].FromString,
                )
                for key in (None, f"Bearer {PREDICT}", f"Bearer {READ}"):
                    metadata = None if key is None else [("authorization", key)]
                    request = kinds[f"{name}Request"]()
                    if status is None or key not in expected:
                        method(request, metadata=metadata, timeout=20)
                        continue
                    with pytest.raises(grpc.RpcError) as refusal:
                        method(request, metadata=metadata, timeout=20)
                    assert refusal.value.code().name == expected[key]
    finally:
        server.stop()


def test_every_reply_forbids_sniffing_and_caching(client: AsgiClient) -> None:
    for reply in (client.get("/v2/health/live"), client.get("/nowhere"), client.get("/metrics")):
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["cache-control"] == "no-store"


def test_a_key_made_by_the_command_opens_and_the_others_stay(
    path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path.chmod(0o640)
    path.write_text(path.read_text().rstrip("\n"))
    words = ["key", str(path), "--scopes", "predict", "--scopes", "read", "--name", "shop 2"]
    assert main(words) == 0
    secret = capfd.readouterr().out.strip()
    keys = Keys.read(path)
    for key in (secret, PREDICT):
        keys.check(f"Bearer {key}", "predict")
    with pytest.raises(RequestError, match="one that may manage"):
        keys.check(f"Bearer {secret}", "manage")
    assert secret not in path.read_text() and path.read_text().endswith(" shop 2\n")
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_new_key_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    made = add_key(tmp_path / "keys", ["predict"])
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o600
    Keys.read(tmp_path / "keys").check(f"Bearer {made.key}", "predict")


@pytest.mark.parametrize(
    "words",
    [
        ["--scopes", "everything"],
        ["--name", "a\nmanage " + "0" * 64],
    ],
)
def test_a_key_that_cannot_be_is_one_line(
    words: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["key", str(tmp_path / "keys"), *words]) == 2
    assert len(capfd.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "keys").exists()


def test_a_file_of_something_else_is_left_as_it_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes").write_text("remember the milk\n")
    assert main(["key", str(tmp_path / "notes")]) == 2
    assert (tmp_path / "notes").read_text() == "remember the milk\n"
    assert main(["key", str(tmp_path / "no" / "keys")]) == 3
    assert len(capfd.readouterr().err.splitlines()) == 2
