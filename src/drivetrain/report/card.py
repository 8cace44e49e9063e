"""Render a bundle's manifest as ``card.md``, the model card.

Sections follow Mitchell et al., Model Cards for Model Reporting, doi:10.1145/3287560.3287596.
"""

from __future__ import annotations

import re

import jinja2
import msgspec

from drivetrain.core.manifest import CARD_FILE, Manifest
from drivetrain.evaluate.scorecard import Scorecard
from drivetrain.report import words

_MARKS = re.compile(r"([\\`*_{}\[\]<>#|!~&])")


def render_card(manifest: Manifest) -> bytes:
    """Render the model card as Markdown in UTF-8: the same manifest gives the same bytes.

    Whatever comes from the data is escaped, so that neither HTML nor Markdown in a category's
    name has an effect.
    """
    card = msgspec.convert(manifest.scorecard, Scorecard)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("drivetrain.report"),
        autoescape=False,  # `finalize` escapes every value
        finalize=escape_markdown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": words.number, "percent": words.percent}
    page = environment.get_template(CARD_FILE + ".j2")
    text = page.render(
        manifest=manifest,
        card=card,
        verdict=words.verdict(manifest, card),
        promises=words.promises(card.promises),
    )
    return text.encode()


def escape_markdown(value: object) -> str:
    """Return a value as text that Markdown shows as it is, on one line.

    Examples
    --------
    >>> escape_markdown("<b>|*")
    '\\\\<b\\\\>\\\\|\\\\*'
    """
    return " ".join(_MARKS.sub(r"\\\1", str(value)).split())
