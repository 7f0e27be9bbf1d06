"""The figures of a report, drawn by matplotlib as SVG.

Each is laid out for a width of WIDTH units, so that it can be read on a phone and set beside others
on a screen. Colours come from PALETTE; `inline` replaces them by CSS variables, so that a page can
be light or dark. What a colour says, a shape or a word says as well.
"""

import io
import math
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from pgolab import words

WIDTH = 400.0  # units of an SVG; one is about a CSS pixel
POINTS = 72.0  # units per inch of matplotlib
SMALL, NORMAL, LARGE = 9.0, 10.0, 12.0
EM = 0.6  # mean width of a character of DejaVu Sans, in font sizes; most fonts are narrower
BOLD_EM = 0.68
PALETTE = {
    "card": "#fffffe", "ink": "#1b1f24", "muted": "#59636e", "line": "#c8ced5", "band": "#eceff3",
    "faster": "#00734e", "slower": "#b3261f", "same": "#48608f", "inconclusive": "#8a6102",
    "baseline": "#3d4450",
}  # fmt: skip
SHAPES = {"faster": "^", "slower": "v", "same": "s", "inconclusive": "D", "baseline": "o"}
FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"
SETTINGS = {
    "svg.fonttype": "none",  # text stays text
    "text.parse_math": False,  # a $ in a name is a $
    "font.family": ["DejaVu Sans"],
    "font.size": NORMAL,
    "axes.edgecolor": PALETTE["line"],
    "axes.facecolor": "none",
    "axes.linewidth": 0.8,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.unicode_minus": True,
    "axes.labelcolor": PALETTE["muted"],
    "axes.labelsize": SMALL,
    "text.color": PALETTE["ink"],
    "xtick.color": PALETTE["line"],
    "xtick.labelcolor": PALETTE["muted"],
    "xtick.labelsize": SMALL,
    "ytick.color": PALETTE["line"],
    "ytick.labelcolor": PALETTE["ink"],
    "ytick.labelsize": NORMAL,
    "ytick.major.size": 0,
    "figure.facecolor": PALETTE["card"],
}


@dataclass(frozen=True)
class Plot:
    """name: of its file; alt: what it shows, for who cannot see it; how: how to read it."""

    name: str
    alt: str
    how: str
    svg: str


def plain(text: str) -> str:
    """Text that can stand in XML and in one line."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def short(text: str, most: int = 28) -> str:
    """A name that leaves room for what it names."""
    text = plain(text)
    return text if len(text) <= most else text[: most - 1] + "…"


def text_width(texts: Sequence[str], size: float = NORMAL) -> float:
    return EM * size * max(map(len, texts), default=0)


class Canvas:
    """One figure with one pair of axes; margins and height in units."""

    def __init__(
        self, title: str, height: float, left: float, right: float, width: float = WIDTH,
        bottom: float = 34, top: float = 26,
    ) -> None:  # fmt: skip
        self.title, self.width = plain(title), width
        self.height = height + top + bottom
        self.figure = Figure(figsize=(width / POINTS, self.height / POINTS))
        self.axes: Axes = self.figure.add_axes((
            left / width, bottom / self.height,
            (width - left - right) / width, height / self.height,
        ))  # fmt: skip
        room = (width - 12) / BOLD_EM  # for the title, in characters of size 1
        self.figure.text(
            6 / width, 1 - 15 / self.height, short(title, int(room / SMALL)),
            fontsize=max(SMALL, min(LARGE, room / len(title))), fontweight="bold",
        )  # fmt: skip

    def legend(self, verdicts: Sequence[str]) -> None:
        """Says which shape is which verdict, under the axes."""
        self.legend_of([
            Line2D([], [], linestyle="", color=PALETTE[v], label=v, **marker(v)) for v in verdicts
        ])  # fmt: skip

    def legend_of(self, handles: Sequence[Line2D]) -> None:
        """A row of marks with what they mean, under the axes."""
        self.figure.legend(
            handles=handles, loc="lower center", ncol=len(handles), frameon=False, fontsize=SMALL,
            handletextpad=0.1, columnspacing=1.2, borderpad=0.1, labelcolor=PALETTE["muted"],
        )  # fmt: skip

    def svg(self) -> str:
        """The figure as an SVG document with a title."""
        buffer = io.StringIO()
        with matplotlib.rc_context({"svg.hashsalt": self.title}):
            self.figure.savefig(buffer, format="svg", metadata={"Date": None, "Title": self.title})
        return tidy(buffer.getvalue())


def marker(verdict: str, size: float = 7.0) -> dict[str, Any]:
    """A verdict's shape; hollow where nothing is decided."""
    hollow = verdict in ("inconclusive", "baseline")
    face, edge = (PALETTE[n] for n in (("card", verdict) if hollow else (verdict, "card")))
    return {
        "marker": SHAPES[verdict], "markersize": size, "markerfacecolor": face,
        "markeredgecolor": edge, "markeredgewidth": 1.0 if hollow else 0.6,
    }  # fmt: skip


def draw_marks(
    axes: Axes, points: Iterable[tuple[float, float, str]], size: float = 7.0
) -> None:
    """Draws marks at (x, y, verdict)."""
    found = list(points)
    for verdict in SHAPES:
        places = [(x, y) for x, y, own in found if own == verdict]
        if places:
            axes.plot(
                *zip(*places), linestyle="", color=PALETTE[verdict], clip_on=False,
                **marker(verdict, size),
            )  # fmt: skip


def tidy(svg: str) -> str:
    """What matplotlib writes, less what nobody needs, in fonts that readers have."""
    used = set(re.findall(r"#([\w.-]+)[\")]", svg))
    svg = re.sub(r' id="([^"]*)"', lambda m: m[0] if m[1] in used else "", svg)
    svg = re.sub(r"(font: [^;\"]*?)'DejaVu Sans'[^;\"]*", rf"\1{FONTS}", svg)
    svg = re.sub(r' transform="rotate\(-0 [^"]*\)"', "", svg)
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"\n(?=[LzQCM\"])", " ", svg)
    return re.sub(r"\n +", "\n", svg)


def inline(svg: str) -> str:
    """An SVG document as an element of a page whose CSS has PALETTE's names as variables."""
    svg = "<svg" + svg.partition("<svg")[2]
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>\s*", "", svg, flags=re.DOTALL)
    width, height = re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)[0]
    svg = re.sub(
        r"<svg [^>]*>",
        f'<svg viewBox="0 0 {width} {height}" style="--width: {width}px" aria-hidden="true">',
        svg,
        count=1,
    )
    svg = svg.replace("xlink:href", "href")
    names = {colour: name for name, colour in PALETTE.items()}
    return re.sub(r"(?<=: )#[0-9a-f]{6}\b", lambda m: f"var(--{names.get(m[0], 'ink')})", svg)


@contextmanager
def style() -> Iterator[None]:
    """Draws everything within in the report's style."""
    with matplotlib.rc_context(SETTINGS), warnings.catch_warnings():
        # Text is laid out by whoever shows it, in a font that has the character.
        warnings.filterwarnings("ignore", "Glyph .* missing from current font")
        yield


def limits(results: Sequence[dict[str, Any]], least: float) -> tuple[float, float]:
    """An axis that holds all intervals, 1, and no less than `least` to each side of 1."""
    ends = [1 - least, 1 + least]
    for result in results:
        ends += result.get("interval", [result["speedup"]])
    low, high = min(ends), max(ends)
    return low - 0.06 * (high - low), high + 0.06 * (high - low)


def forest(
    file: str, title: str, results: dict[str, dict[str, Any]], delta: float, copy: str
) -> Plot:
    """Speedups with their intervals, one row each; copy: the row of the A/A check, if any."""
    labels = [short(name) for name in results]
    values = [words.times(result) for result in results.values()]
    canvas = Canvas(
        title, 18.0 * len(results), text_width(labels) + 8, text_width(values, SMALL) + 6, bottom=50
    )
    axes = canvas.axes
    axes.axvspan(1 - delta, 1 + delta, color=PALETTE["band"], linewidth=0)
    axes.axvline(1, color=PALETTE["muted"], linewidth=0.8, linestyle=(0, (3, 2)))
    verdicts = ["baseline" if n == copy else r["verdict"] for n, r in results.items()]
    ends = [r.get("interval", [r["speedup"]] * 2) for r in results.values()]
    colours = [PALETTE[verdict] for verdict in verdicts]
    axes.hlines(range(len(ends)), *zip(*ends), colors=colours, linewidth=1.6)
    speedups = [r["speedup"] for r in results.values()]
    draw_marks(axes, zip(speedups, range(len(ends)), verdicts))
    for row, value in enumerate(values):
        axes.annotate(
            value, (1, row), (6, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points", va="center", fontsize=SMALL,
        )  # fmt: skip
    axes.set_xlim(*limits(list(results.values()), 2 * delta))
    axes.set_ylim(len(results) - 0.4, -0.6)
    axes.set_yticks(range(len(results)), labels)
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlabel("speedup")
    canvas.legend([v for v in SHAPES if v in verdicts])
    said = "; ".join(f"{n} {v} {r['verdict']}" for (n, r), v in zip(results.items(), values))
    return Plot(
        file,
        f"{title}: {said}",
        "Mark: the estimate; line: its 95 % interval. In the grey band an effect is too small"
        " to count.",
        canvas.svg(),
    )


def before_after(
    file: str, title: str, lanes: dict[str, tuple[float, str, str, str]], variant: str
) -> Plot:
    """The baseline's and a variant's performance on each workload.

    lanes: per workload the speedup, both performances in words, and the verdict.
    """
    labels = [short(name, 16) for name in lanes]
    after = [short(lane[2], 20) for lane in lanes.values()]
    before = [short(lane[1], 20) for lane in lanes.values()]
    left = text_width(labels) + 8 + text_width(before, SMALL) + 12
    right = text_width(after, SMALL) + 10
    canvas = Canvas(title, 20.0 * len(lanes), left, right, bottom=50)
    axes = canvas.axes
    axes.axvline(1, color=PALETTE["muted"], linewidth=0.8, linestyle=(0, (3, 2)))
    speedups, verdicts = [x[0] for x in lanes.values()], [x[3] for x in lanes.values()]
    axes.hlines(
        range(len(lanes)), 1, speedups, colors=[PALETTE[v] for v in verdicts], linewidth=1.6
    )
    draw_marks(axes, ((1, row, "baseline") for row in range(len(lanes))), 6)
    draw_marks(axes, zip(speedups, range(len(lanes)), verdicts))
    for row in range(len(lanes)):
        for text, where, offset, align, ink in (
            (labels[row], 0, 6 - left, "left", "ink"),
            (before[row], 0, -8, "right", "muted"),
            (after[row], 1, 6, "left", "ink"),
        ):
            axes.annotate(
                text, (where, row), (offset, 0), xycoords=("axes fraction", "data"),
                textcoords="offset points", va="center", ha=align, color=PALETTE[ink],
                fontsize=NORMAL if text is labels[row] else SMALL,
            )  # fmt: skip
    found = [{"speedup": lane[0]} for lane in lanes.values()]
    axes.set_xlim(*limits(found, 0.01))
    axes.set_ylim(len(lanes) - 0.4, -0.6)
    axes.set_yticks([])
    axes.locator_params(axis="x", nbins=max(1, int((WIDTH - left - right) / 40)))
    axes.set_xlabel("relative to the baseline")
    shown = [v for v in SHAPES if v == "baseline" or any(x[3] == v for x in lanes.values())]
    canvas.legend(shown)
    said = "; ".join(f"{w}: {lane[1]} before, {lane[2]} after" for w, lane in lanes.items())
    return Plot(
        file,
        f"{title}: {said}",
        f"Each workload of the baseline (circle, figure at the left) and with {variant}"
        " (figure at the right).",
        canvas.svg(),
    )


def heat_map(
    file: str, title: str, rows: Sequence[str], columns: Sequence[str],
    cells: dict[tuple[str, str], dict[str, Any]],
) -> Plot:  # fmt: skip
    """Speedups of columns (variants) on rows (apps or workloads), with their verdicts."""
    left = text_width([short(r, 18) for r in rows]) + 8
    slanted = math.sqrt(0.5) * text_width([short(c) for c in columns], SMALL)
    right = max(6.0, math.sqrt(0.5) * text_width([short(columns[-1])], SMALL) - 12)
    cell_width = max(34.0, (WIDTH - left - right) / max(len(columns), 3))
    canvas = Canvas(
        title, 30.0 * len(rows), left, right,
        max(WIDTH, left + cell_width * len(columns) + right), bottom=22, top=30 + slanted,
    )  # fmt: skip
    axes = canvas.axes
    boxes, fills, placed = [], [], []
    strongest = max((abs(math.log(c["speedup"])) for c in cells.values()), default=1.0) or 1.0
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            cell = cells.get((row, column))
            if cell is None:
                continue
            verdict = cell["verdict"]
            decided = verdict in ("faster", "slower")
            alpha = 0.08 + 0.42 * abs(math.log(cell["speedup"])) / strongest if decided else 0.08
            boxes.append(Rectangle((x + 0.03, y + 0.04), 0.94, 0.92))
            fills.append(to_rgba(PALETTE[verdict], alpha))
            placed.append((x + 0.5, y + 0.74, verdict))
            axes.text(
                x + 0.5, y + 0.36, f"{cell['speedup']:.2f}", ha="center", va="center",
                fontsize=SMALL,
            )  # fmt: skip
    axes.add_collection(PatchCollection(boxes, facecolors=fills, linewidths=0))
    draw_marks(axes, placed, 6)
    axes.set_xlim(0, max(len(columns), 3))
    axes.set_ylim(len(rows), 0)
    axes.xaxis.tick_top()
    axes.tick_params(axis="x", length=0, labelcolor=PALETTE["ink"])
    axes.set_xticks(
        [x + 0.4 for x in range(len(columns))], [short(c) for c in columns], rotation=45,
        ha="left", rotation_mode="anchor",
    )  # fmt: skip
    axes.set_yticks([y + 0.5 for y in range(len(rows))], [short(r, 18) for r in rows])
    axes.spines["bottom"].set_visible(False)
    canvas.legend([v for v in SHAPES if any(c["verdict"] == v for c in cells.values())])
    said = "; ".join(f"{r}, {c}: {x['speedup']:.2f} {x['verdict']}" for (r, c), x in cells.items())
    return Plot(
        file, f"{title}: {said}", "The stronger the colour, the larger the effect.", canvas.svg()
    )


def pareto(points: dict[str, tuple[float, float]]) -> list[str]:
    """The names that no other beats in both: (cost, speedup), by rising cost."""
    front: list[str] = []
    for name, (_, speedup) in sorted(points.items(), key=lambda p: (p[1][0], -p[1][1])):
        if not front or speedup > points[front[-1]][1]:
            front.append(name)
    return front


def trade_off(
    file: str, title: str, points: dict[str, tuple[float, float]], verdicts: dict[str, str],
    unit: str,
) -> Plot:  # fmt: skip
    """Speedup against a cost, with the front of what nothing beats in both."""
    canvas = Canvas(title, 170, 40, 14, bottom=50)
    axes = canvas.axes
    front = pareto(points)
    costs, speedups = zip(*points.values())
    span = (max(costs) - min(costs)) or max(costs) or 1.0
    rise = (max(speedups) - min(speedups)) or 0.01
    axes.set_xlim(min(costs) - 0.06 * span, max(costs) + 0.30 * span)
    axes.set_ylim(min(speedups) - 0.12 * rise, max(speedups) + 0.15 * rise)
    axes.step(*zip(*(points[n] for n in front)), where="post", color=PALETTE["muted"], linewidth=1)
    taken = [box_around(axes, *point, 8, 8) for point in points.values()]
    for (cost, speedup), (dearer, faster) in pairwise(points[n] for n in front):
        left, bottom, _, _ = box_around(axes, cost, speedup, 0, 0)
        right, top, _, _ = box_around(axes, dearer, faster, 0, 0)
        taken += [(left, bottom - 1, right, bottom + 1), (right - 1, bottom, right + 1, top)]
    draw_marks(axes, ((*point, verdicts[name]) for name, point in points.items()))
    for name in sorted(points, key=lambda n: n not in front):
        label(axes, short(name), points[name], name in front, taken)
    axes.spines["left"].set_visible(True)
    axes.tick_params(axis="y", labelsize=SMALL, labelcolor=PALETTE["muted"])
    axes.locator_params(axis="x", nbins=5)
    axes.locator_params(axis="y", nbins=5)
    axes.set_xlabel(unit)
    canvas.legend([v for v in SHAPES if v in verdicts.values()])
    return Plot(
        file,
        f"{title}. On the front: {', '.join(front)}",
        f"Up is faster, left is cheaper. On the line is what no other beats in both, by the"
        f" estimates alone: {', '.join(map(plain, front))}.",
        canvas.svg(),
    )


Box = tuple[float, float, float, float]  # left, bottom, right, top in units


def box_around(axes: Axes, x: float, y: float, width: float, height: float) -> Box:
    """The place that something of a size in units takes around a point of the data."""
    left, top = axes.transData.transform((x, y))
    left, top = left * POINTS / axes.figure.dpi, top * POINTS / axes.figure.dpi
    return left - width / 2, top - height / 2, left + width / 2, top + height / 2


def label(
    axes: Axes, text: str, point: tuple[float, float], strong: bool, taken: list[Box]
) -> None:
    """Writes a point's name where nothing is yet; on its right when there is no free place."""
    size = SMALL
    width, height = text_width([text], size), size
    left, bottom, right, top = box_around(axes, *point, 0, 0)
    edge = WIDTH - 2
    places = [(7, 0, "left"), (0, 11, "center"), (0, -11, "center"), (-7, 0, "right")]
    places += [(7, s * d, "left") for d in (9, 18, 27) for s in (1, -1)]
    places += [(-7, s * d, "right") for d in (9, 18) for s in (1, -1)]
    for dx, dy, align in places:
        start = left + dx - {"left": 0.0, "center": width / 2, "right": width}[align]
        box = (start, bottom + dy - height / 2, start + width, top + dy + height / 2)
        inside = box[0] > 42 and box[2] < edge and box[1] > 52
        if inside and not any(overlap(box, other) for other in taken):
            break
    else:
        dx, dy, align = places[0]
        box = (left + dx, bottom - height / 2, right + dx + width, top + height / 2)
    taken.append(box)
    axes.annotate(
        text, point, (dx, dy), textcoords="offset points", ha=align, va="center", fontsize=size,
        color=PALETTE["ink" if strong else "muted"], fontweight="bold" if strong else "normal",
    )  # fmt: skip


def overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


LANE = 30.0  # units: the height of a variant's dots
DOTS = {"o": (2.6, "block"), "d": (5.0, "beyond the lane"), "x": (4.0, "dropped")}


def every_block(
    file: str, title: str, lanes: dict[str, list[tuple[int, float, bool]]],
    estimates: dict[str, float], verdicts: dict[str, str],
) -> Plot:  # fmt: skip
    """Each block's speedup in a lane per variant, about the estimate.

    lanes: (block, speedup, whether the block counts) each.
    """
    labels = [short(name) for name in lanes]
    canvas = Canvas(title, LANE * len(lanes), text_width(labels) + 8, 12, bottom=50)
    axes = canvas.axes
    ln = {
        name: [(b, math.log(s / estimates[name]), counts) for b, s, counts in found]
        for name, found in lanes.items()
    }
    sizes = sorted(abs(d) for found in ln.values() for _, d, counts in found if counts)
    reach = max(0.005, 1.3 * sizes[int(0.95 * (len(sizes) - 1))] if sizes else 0.0)
    last = max((b for found in lanes.values() for b, _, _ in found), default=1)
    axes.hlines(range(len(lanes)), 1, last, colors=PALETTE["line"], linewidth=0.8)
    kinds: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row, (name, found) in enumerate(ln.items()):
        for block, d, counts in found:
            kind = ("o" if abs(d) <= reach else "d") if counts else "x"
            colour = PALETTE[verdicts[name] if counts else "muted"]
            place = (block, row - 0.46 * max(-1.0, min(1.0, d / reach)))
            kinds.setdefault((kind, colour), []).append(place)
    for (kind, colour), places in kinds.items():
        axes.plot(
            *zip(*places), linestyle="", color=colour, marker=kind, markersize=DOTS[kind][0],
            markeredgewidth=0.8 if kind == "x" else 0,
        )  # fmt: skip
    axes.set_ylim(len(lanes) - 0.5, -0.5)
    axes.set_yticks(range(len(lanes)), labels)
    axes.set_xlabel("block")
    axes.locator_params(axis="x", nbins=6, integer=True)
    shown = [kind for kind in DOTS if any(k == kind for k, _ in kinds)]
    canvas.legend_of([
        Line2D([], [], linestyle="", color=PALETTE["muted"], marker=k, markersize=DOTS[k][0],
               label=DOTS[k][1]) for k in shown
    ])  # fmt: skip
    dropped = len({b for found in lanes.values() for b, _, counts in found if not counts})
    total = len({b for found in lanes.values() for b, _, _ in found})
    return Plot(
        file,
        f"{title}: {total} blocks, {dropped} of them dropped",
        f"A dot is one block, its lane's line the estimate; a lane is ±{words.percent(reach)} high,"
        " up is faster. A slope would be drift.",
        canvas.svg(),
    )


def trend(file: str, title: str, lines: dict[str, list[tuple[str, dict[str, Any]]]]) -> Plot:
    """Speedups of variants, run by run: (name of the run, result) each, by time."""
    runs = sorted({run for points in lines.values() for run, _ in points})
    canvas = Canvas(title, 200, 40, text_width([short(n) for n in lines], SMALL) + 14, bottom=62)
    axes = canvas.axes
    axes.axhline(1, color=PALETTE["muted"], linewidth=0.8, linestyle=(0, (3, 2)))
    ends: dict[str, tuple[float, float]] = {}
    for number, (name, points) in enumerate(lines.items()):
        at = [runs.index(run) + 0.06 * (number - (len(lines) - 1) / 2) for run, _ in points]
        speedups = [result["speedup"] for _, result in points]
        lows, highs = zip(*(result["interval"] for _, result in points))
        axes.plot(at, speedups, color=PALETTE["muted"], linewidth=0.8)
        verdicts = [result["verdict"] for _, result in points]
        axes.vlines(at, lows, highs, colors=[PALETTE[v] for v in verdicts], linewidth=1.4)
        draw_marks(axes, zip(at, speedups, verdicts), 6)
        ends[name] = at[-1], speedups[-1]
    results = [result for points in lines.values() for _, result in points]
    low, high = limits(results, 0.01)
    axes.set_xlim(-0.5, len(runs) - 0.5)
    axes.set_ylim(low, high)
    step = (SMALL + 2) / 200 * (high - low)
    heights = apart([speedup for _, speedup in ends.values()], step, high)
    for (name, end), height in zip(ends.items(), heights):
        axes.plot(
            [end[0], len(runs) - 0.5], [end[1], height], color=PALETTE["line"], linewidth=0.8,
            zorder=0,
        )  # fmt: skip
        axes.annotate(
            short(name), (1, height), (6, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points", va="center", fontsize=SMALL,
        )  # fmt: skip
    shown = range(0, len(runs), math.ceil(len(runs) / 5))
    axes.set_xticks(list(shown), [short(runs[i][:8]) for i in shown])
    axes.spines["left"].set_visible(True)
    axes.tick_params(axis="y", labelsize=SMALL, labelcolor=PALETTE["muted"])
    axes.locator_params(axis="y", nbins=5)
    axes.set_xlabel("run")
    canvas.legend([v for v in SHAPES if any(r["verdict"] == v for r in results)])
    said = "; ".join(f"{n}: {s:.3f} at last" for n, (_, s) in ends.items())
    return Plot(
        file,
        f"{title}: {said}",
        "Mark: a run's estimate; line: its 95 % interval. A name belongs to the last mark of its"
        " variant.",
        canvas.svg(),
    )


def apart(wanted: Sequence[float], step: float, top: float) -> list[float]:
    """The nearest places that are a step apart and not above the top, in the same order."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    found = [0.0] * len(wanted)
    below = -math.inf
    for i in order:
        found[i] = below = max(wanted[i], below + step)
    above = top + step
    for i in reversed(order):
        found[i] = above = min(found[i], above - step)
    return found
