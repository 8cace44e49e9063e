"""The page at /, used in a real browser as a person would."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from drivetrain.serve.auth import make_key
from drivetrain.testing.server_process import ServerProcess
from drivetrain.testing.tabular_bundle import write_tabular_bundle

pytestmark = pytest.mark.xdist_group("serving processes")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
    if program is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    bundle = tmp_path_factory.mktemp("page") / "tabular.bundle"
    write_tabular_bundle(bundle)
    server = ServerProcess(bundle, drain_delay_s=0.0)
    yield server
    server.stop()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1100, "height": 1400})
    yield page
    page.close()


def test_a_row_is_tried_and_its_answer_explained(page: Page, server: ServerProcess) -> None:
    asked, faults = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: faults.append(message.text))
    page.goto(server.url + "/")
    expect(page.get_by_role("heading", level=1)).to_have_text("tabular")
    page.get_by_label("number_0").fill("1.5")
    page.get_by_label("category_0").fill("")
    page.get_by_label("flag").select_option("true")
    page.get_by_role("button", name="Predict and explain").click()
    expect(page.locator("#prediction")).to_contain_text("y: ")
    row = page.evaluate(
        "Object.fromEntries(model.columns.map((c, i) =>"
        " [c.name, cellOf(c, at(`cell-${i}`).value)]))"
    )
    assert (row["number_0"], row["category_0"], row["flag"]) == (1.5, None, True)
    told = httpx.post(f"{server.url}/v1/models/tabular:explain", json={"instances": [row]}).json()
    (explained,) = told["explanations"]
    assert page.locator("#prediction").inner_text() == f"y: {explained['prediction']}"
    bars = page.locator("#contributions .bar span:first-child").all_inner_texts()
    assert bars == [one["column"] for one in explained["columns"]][:12]
    sums = explained["base"] + sum(one["value"] for one in explained["columns"])
    assert sums == pytest.approx(explained["value"], abs=1e-9)
    assert asked and all(url.startswith(server.url) for url in asked)
    assert not faults


def test_what_the_contract_refuses_is_said_in_one_line(page: Page, server: ServerProcess) -> None:
    page.goto(server.url + "/")
    page.get_by_label("number_0").fill("many")
    page.get_by_role("button", name="Predict and explain").click()
    problem = page.get_by_role("alert")
    expect(problem).to_contain_text("number_0")
    expect(problem).not_to_contain_text("many")
    expect(page.locator("#answer")).to_be_hidden()
    page.get_by_label("number_0").fill("2")
    page.get_by_role("button", name="Predict and explain").click()
    expect(page.locator("#answer")).to_be_visible()
    expect(problem).to_be_hidden()


def test_a_key_is_asked_for_where_keys_are_on(page: Page, tmp_path: Path) -> None:
    bundle = tmp_path / "tabular.bundle"
    write_tabular_bundle(bundle)
    key, line = make_key(("read", "predict"))
    (tmp_path / "keys").write_text(line)
    server = ServerProcess(bundle, keys=str(tmp_path / "keys"), drain_delay_s=0.0)
    page.goto(server.url + "/")
    expect(page.locator("#try")).to_be_hidden()
    page.get_by_label("This server asks for a key").fill(key)
    page.get_by_role("button", name="Use it").click()
    page.get_by_role("button", name="Predict and explain").click()
    expect(page.locator("#prediction")).to_contain_text("y: ")
    assert server.stop() == 0
