"""The page at /, used in a real browser as a person would."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Page, async_playwright, expect

from drivetrain.serve.auth import make_key
from drivetrain.testing.server_process import ServerProcess
from drivetrain.testing.tabular_bundle import write_tabular_bundle

pytestmark = pytest.mark.xdist_group("serving processes")

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def chromium() -> str:
    program = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
    if program is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    return program


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    bundle = tmp_path_factory.mktemp("page") / "tabular.bundle"
    write_tabular_bundle(bundle)
    server = ServerProcess(bundle, drain_delay_s=0.0)
    yield server
    server.stop()


def browse(chromium: str, url: str, visit: Callable[[Page], Awaitable[None]]) -> None:
    """Open a page in a browser of its own and do there what ``visit`` does."""

    async def run() -> None:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            page = await browser.new_page(viewport={"width": 1100, "height": 1400})
            asked: list[str] = []
            faults: list[str] = []
            page.on("request", lambda request: asked.append(request.url))
            page.on("pageerror", lambda error: faults.append(str(error)))
            await page.goto(url)
            await visit(page)
            await browser.close()
            assert asked
            assert all(one.startswith(url) for one in asked), asked
            assert not faults

    asyncio.run(run())


async def press(page: Page, name: str = "Predict and explain") -> None:
    await page.get_by_role("button", name=name).click()


def test_a_row_is_tried_and_its_answer_explained(chromium: str, server: ServerProcess) -> None:
    async def visit(page: Page) -> None:
        await expect(page.get_by_role("heading", level=1)).to_have_text("tabular")
        await page.get_by_label("number_0").fill("1.5")
        await page.get_by_label("category_0").fill("")
        await page.get_by_label("flag").select_option("true")
        await press(page)
        await expect(page.locator("#prediction")).to_contain_text("y: ")
        row = await page.evaluate(
            "Object.fromEntries(model.columns.map((c, i) =>"
            " [c.name, cellOf(c, at(`cell-${i}`).value)]))"
        )
        assert (row["number_0"], row["category_0"], row["flag"]) == (1.5, None, True)
        reply = httpx.post(f"{server.url}/v1/models/tabular:explain", json={"instances": [row]})
        (explained,) = reply.json()["explanations"]
        shown = await page.locator("#prediction").inner_text()
        assert shown == f"y: {explained['prediction']}"
        bars = await page.locator("#contributions .bar span:first-child").all_inner_texts()
        assert bars == [one["column"] for one in explained["columns"]][:12]

    browse(chromium, server.url + "/", visit)


def test_what_the_contract_refuses_is_said_in_one_line(
    chromium: str, server: ServerProcess
) -> None:
    async def visit(page: Page) -> None:
        await page.get_by_label("number_0").fill("many")
        await press(page)
        problem = page.get_by_role("alert")
        await expect(problem).to_contain_text("number_0")
        await expect(problem).not_to_contain_text("many")
        await expect(page.locator("#answer")).to_be_hidden()
        await page.get_by_label("number_0").fill("2")
        await press(page)
        await expect(page.locator("#answer")).to_be_visible()
        await expect(problem).to_be_hidden()

    browse(chromium, server.url + "/", visit)


def test_a_key_is_asked_for_where_keys_are_on(chromium: str, tmp_path: Path) -> None:
    bundle = tmp_path / "tabular.bundle"
    write_tabular_bundle(bundle)
    key, line = make_key(("read", "predict"))
    (tmp_path / "keys").write_text(line)
    server = ServerProcess(bundle, keys=str(tmp_path / "keys"), drain_delay_s=0.0)

    async def visit(page: Page) -> None:
        await expect(page.locator("#try")).to_be_hidden()
        await page.get_by_label("This server asks for a key").fill(key)
        await press(page, "Use it")
        await press(page)
        await expect(page.locator("#prediction")).to_contain_text("y: ")

    browse(chromium, server.url + "/", visit)
    assert server.stop() == 0


def test_the_answer_shows_the_set_and_a_row_unlike_the_training_data(
    chromium: str, tmp_path: Path
) -> None:
    bundle = tmp_path / "tabular.bundle"
    write_tabular_bundle(bundle, coverage=0.9)
    server = ServerProcess(bundle, drain_delay_s=0.0)

    async def visit(page: Page) -> None:
        for cell, is_unlike in (("1.5", False), ("99", True)):
            await page.get_by_label("number_0").fill(cell)
            await press(page)
            await expect(page.locator("#range")).to_contain_text("in 90 % of rows like those")
            await expect(page.locator("#unlike")).to_be_visible(visible=is_unlike)
        words = await page.locator("#range").inner_text()
        assert (
            any(f"{label} alone" in words for label in ("no", "yes")) or "one of no, yes" in words
        )

    browse(chromium, server.url + "/", visit)
    assert server.stop() == 0
