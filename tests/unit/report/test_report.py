"""The report is one safe, self-contained page that says the same in the same bytes."""

from __future__ import annotations

import functools
import re
from html.parser import HTMLParser

import msgspec
import numpy as np
import pytest

from drivetrain.core.contract import Column, Contract, Target
from drivetrain.core.findings import Decision, Finding
from drivetrain.core.manifest import Lineage, Manifest, Output, Proof
from drivetrain.evaluate.scorecard import Scorecard, constant_baseline, scorecard
from drivetrain.report.card import escape_markdown, render_card
from drivetrain.report.charts import Scale
from drivetrain.report.page import render_report
from drivetrain.report.words import verdict

ATTACK = "<script>alert(1)</script>|\"'*[x](javascript:y)"


class Fake:
    def __init__(self, outputs) -> None:
        self.outputs = outputs

    def run(self, columns):
        return self.outputs


@functools.cache
def made(task: str = "binary", *, quality: float = 1.0, rows: int = 800, linear: bool = True):
    """Give a manifest whose every text that comes from the data is an attack."""
    rng = np.random.default_rng(0)
    classes = {"binary": ("no", ATTACK), "multiclass": ("a", "b", ATTACK)}.get(task, ())
    label_type = "string" if classes else "float"
    target = Target(name=f"y {ATTACK}", task=task, classes=classes, label_type=label_type)
    contract = Contract(
        columns=(Column(name=f"job {ATTACK}", kind="category", evidence=ATTACK, distinct=2),),
        target=target,
        ignored=(ATTACK,),
    )
    columns = {f"job {ATTACK}": rng.choice(np.array([ATTACK, "clerk"], dtype=object), rows)}
    if classes:
        p = rng.dirichlet(np.ones(len(classes)), rows)
        y = np.array([rng.choice(len(classes), p=row) for row in p], dtype=float)
        p = quality * p + (1 - quality) * rng.dirichlet(np.ones(len(classes)), rows)
        labels = np.array(classes, dtype=object)[p.argmax(1)]
        model = Fake({"prediction": labels, "probabilities": p.astype(np.float32)})
        straight = 0.5 * p + 0.5 * rng.dirichlet(np.ones(len(classes)), rows)
    else:
        y = rng.normal(size=rows)
        model = Fake({"prediction": quality * y + 0.3 * rng.normal(size=rows)})
        straight = y + rng.normal(size=rows)
    metric = {"binary": "auc", "multiclass": "log_loss", "regression": "rmse"}[task]
    card = scorecard(model, contract, columns, y, metric=metric,
                     constant=constant_baseline(y, target),
                     linear=straight if linear else None)  # fmt: skip
    return Manifest(
        drivetrain="0.1.0",
        name=f"m {ATTACK}",
        contract=contract,
        outputs=(Output(name="prediction", type="string", shape=(-1,)),),
        metric=metric,
        scorecard=msgspec.to_builtins(card),
        recipes=({"family": "lightgbm", "weight": 0.7, "parameters": {ATTACK: ATTACK}},),
        proof=Proof(rows=rows, adversarial_rows=400, max_abs_diff=0.0, tolerance=1e-5,
                    label_flips=0, node_diffs={ATTACK: 0.0}),
        lineage=Lineage(data_fingerprint="ab", rows=rows, source=ATTACK, settings={"a": ATTACK},
                        packages={"numpy": "2.4"}, python="3.11", seed=0),
        decisions=(Decision(subject=ATTACK, choice=ATTACK, reason=ATTACK, by_clock=True),
                   Decision(subject=f"column 'job {ATTACK}'", choice="dropped", reason=ATTACK)),
        findings=(Finding(check="leak", where=ATTACK, what=ATTACK, severity="error",
                          evidence={ATTACK: [ATTACK]}, remedy=ATTACK),),
        measured={"elapsed_s": 1.25},
    )  # fmt: skip


LEADERS = ({"trial": ATTACK, "family": "lightgbm", "status": "done", "score": 0.9, "weight": 0.7,
            "error": ATTACK, "fit_s": 1.5},)  # fmt: skip


class Tags(HTMLParser):
    """Collects tags, attributes and text, and checks that what is opened is closed."""

    VOID = frozenset({"meta", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def parsed(page: bytes) -> Tags:
    tags = Tags()
    tags.feed(page.decode())
    assert tags.open == []
    return tags


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_no_value_of_the_data_becomes_markup(task):
    page = render_report(made(task), LEADERS)
    tags = parsed(page)
    assert not {"script", "img", "iframe", "link"} & {tag for tag, _ in tags.seen}
    assert not [name for _, attributes in tags.seen for name in attributes if name.startswith("on")]
    assert tags.text.count(ATTACK) >= 10  # and yet it is shown, as it is


def test_the_guard_against_markup_sees_an_attack():
    page = render_report(made(), LEADERS).replace(b"</main>", ATTACK.encode() + b"</main>")
    assert "script" in {tag for tag, _ in parsed(page).seen}


def test_the_page_needs_no_network_and_runs_nothing():
    page = render_report(made(), LEADERS).decode()
    assert "default-src 'none'" in page
    assert not re.search(r"https?://|//cdn|@import|url\(", page)
    addresses = [a.get("href") for _, a in parsed(page.encode()).seen if "href" in a]
    assert addresses and all(address and address.startswith("#") for address in addresses)


def test_every_link_has_its_section():
    tags = parsed(render_report(made(), LEADERS))
    named = {attributes.get("id") for _, attributes in tags.seen}
    assert {a["href"][1:] for tag, a in tags.seen if tag == "a"} <= named


def test_the_same_manifest_gives_the_same_bytes_whatever_was_measured():
    first = made()
    other = msgspec.structs.replace(first, measured={"elapsed_s": 99})
    slower = ({**LEADERS[0], "fit_s": 77.0},)
    assert render_report(first, LEADERS) == render_report(other, slower)
    assert render_card(first) == render_card(other)


def test_metrics_intervals_findings_and_decisions_are_in_it():
    manifest = made("multiclass")
    text = parsed(render_report(manifest, LEADERS)).text
    for measure in manifest.scorecard["measures"]:
        assert f"{measure['model']['score']:.4g}" in text
    assert "by the clock" in text and "Most frequent mistakes" not in text


@pytest.mark.parametrize(
    ("quality", "linear", "level", "words"),
    [
        (1.0, True, "good", "than a linear model, beyond"),
        (1.0, False, "good", "Better than a constant"),
        (0.0, True, "bad", "Not shown to be better"),
    ],
)
def test_the_verdict_follows_the_evidence(quality, linear, level, words):
    manifest = made(quality=quality, linear=linear)
    said = verdict(manifest, scorecard_of(manifest))
    assert said.level == level and words in said.headline


def scorecard_of(manifest: Manifest):
    return msgspec.convert(manifest.scorecard, Scorecard)


def test_a_model_that_a_linear_one_beats_is_not_praised():
    manifest = made()
    card = scorecard_of(manifest)
    worse = msgspec.structs.replace(card.over_linear, gain=-0.1, low=-0.2, high=-0.05)
    said = verdict(manifest, msgspec.structs.replace(card, over_linear=worse))
    assert said.level == "caution" and "Worse than a linear model" in said.headline


def test_few_rows_and_errors_in_the_data_are_cautions():
    manifest = made(rows=120)
    cautions = " ".join(verdict(manifest, scorecard_of(manifest)).cautions)
    assert "Only 120 rows" in cautions and "1 problem" in cautions


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_the_card_escapes_what_comes_from_the_data(task):
    text = render_card(made(task)).decode()
    assert text.startswith("# Model card: m \\<script\\>")
    assert not re.search(r"(?<!\\)<script", text)
    tables = [line for line in text.splitlines() if line.startswith("|")]
    cells = {len(re.findall(r"(?<!\\)\|", line)) for line in tables}
    assert cells <= {8, 6}  # an escaped bar parts no cell


def test_escaped_text_stays_on_one_line():
    assert escape_markdown("a\n# b") == "a \\# b"


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 1.0), (0.4652, 0.9704), (-3e-5, 8e-5), (9e6, 9.1e6)]
)
def test_ticks_are_round_few_and_inside(low, high):
    ticks = Scale(low, high, 0, 100).ticks()
    assert 4 <= len(ticks) <= 9
    assert low - 1e-9 <= ticks[0] and ticks[-1] <= high + 1e-9
    assert all(len(f"{tick:.4g}".strip("-0.").split("e")[0]) <= 5 for tick in ticks)
