"""HTML pages that need nothing but themselves: tables, figures and text in a template."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pgolab import plots, words
from pgolab.plots import Plot

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"


@dataclass(frozen=True)
class Cell:
    """What a table shows; sort: the number that it is sorted by, where that is not its text."""

    text: str
    sort: float | None = None
    verdict: str = ""


@dataclass(frozen=True)
class Table:
    """caption: what it is; headers: of the columns, none where the rows are names and values.

    The first cell of each row names the row.
    """

    caption: str
    headers: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    @property
    def right(self) -> list[bool]:
        """Which columns are aligned to the right: those of numbers."""
        return [any(c.sort is not None and not c.verdict for c in column)
                for column in zip(*self.rows)]  # fmt: skip


def text(value: object) -> Cell:
    return Cell(str(value))


def number(value: float | None, shown: str) -> Cell:
    """A number and how it is shown; an empty cell for None."""
    return Cell("") if value is None else Cell(shown, float(value))


def verdict(result: dict[str, Any]) -> Cell:
    order = ("faster", "same", "inconclusive", "slower", "baseline")
    word = result["verdict"]
    return Cell(f"{words.MARKS[word]} {words.verdict(result)}", order.index(word), word)


def facts(caption: str, found: dict[str, object]) -> Table:
    """A table of names and values; what is None is left out."""
    rows = [[text(k), text(v)] for k, v in found.items() if v is not None]
    return Table(caption, [], rows)


def in_page(plot: Plot) -> Markup:
    return Markup(plots.inline(plot.svg))


def render(template: str, **context: object) -> str:
    """A page from a template; everything but the figures and the page's own parts is escaped."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["in_page"] = in_page
    css, script = ((TEMPLATES / name).read_text(encoding="utf-8") for name in (
        "page.css", "page.js"))  # fmt: skip
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = environment.get_template(template).render(
        css=Markup(css), script=Markup(script), digest=digest, **context
    )
    return page + "\n"
