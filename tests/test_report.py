"""What people look at: report.html in a real browser, summary.md, the figures, the words."""

import json
import re
import shlex
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import analyse
import pytest
import report
from browser import Browser
from conftest import ROOT
from test_analyse import Made, one, samples_of, write

from pgolab import markdown, plots, run_page, run_plots, words
from pgolab.record import COPY, Metric

HOSTILE = "<img src=x onerror=owned=1><script>owned=1</script>|`*_&amp;$x$ 界: #abcdef; \"'"
SHARES = [{"function": HOSTILE, "share": 0.3125}]
MATRIX = {
    "o3": 1.0, "o2-thin": 1.05, "o2-full": 1.06, "o2-pgo": 1.15, "o2-pgo-thin": 1.28,
    "o2-pgo-full": 1.29, "o2-cspgo-thin": 1.285, "o2-nopie-pgo-thin-bolt": 1.33,
}  # fmt: skip


def made_report(where: Path, made: Made, metrics: list[Metric] | None = None, **run: Any) -> Path:
    """A run with its report; run: keys of run.json to add, `app` and `variant` to all of those."""
    write(where, made, metrics or [])
    facts = json.loads((where / "run.json").read_text())
    for app in facts["apps"].values():
        app |= run.get("app", {})
        app["profiles"]["pgo"] |= run.get("profile", {})
        for variant in app["variants"].values():
            variant |= run.get("variant", {})
    facts |= {k: v for k, v in run.items() if k not in ("app", "variant", "profile")}
    (where / "run.json").write_text(json.dumps(facts))
    assert analyse.main([str(where)]) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert report.main([str(where)]) == 0
    return where


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("chromium")) as started:
        yield started


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two apps in which every text that an app can choose is markup."""
    names = {HOSTILE: {"one": 1.0, HOSTILE: 1.0}, "../up": {"one": 1.0, HOSTILE: 1.0}}
    apps = {
        app: {v: {w: s for w in workloads} for v, s in MATRIX.items()}
        for app, workloads in names.items()
    }
    made = Made(apps, blocks=14, noise=0.004, advice=(HOSTILE,), disturbed=frozenset({5}))
    metrics = [
        Metric(s.app, s.workload, s.variant, s.block, s.position, HOSTILE, 1.0, "lower")
        for s in samples_of(made)
    ]
    return made_report(
        tmp_path_factory.mktemp("hostile") / "20260102-030405-amber", made, metrics,
        app={
            "about": HOSTILE, "notes": [HOSTILE],
            "workloads": {
                w: {"command": ["@BIN@", HOSTILE], "scale": 3, "work": [2.0, HOSTILE]}
                for w in ("one", HOSTILE)
            },
        },
        profile={
            "hottest": SHARES, "functions": {"with_counts": 12, "without_counts": 5},
            "raw_profiles": {"read": 3, "dropped": 1}, "overlap_with_previous": 0.98,
        },
        variant={
            "profile_match": {"share": 0.998, "mismatched": SHARES, "missing": SHARES},
            "bolt": {
                "dyno_stats": {HOSTILE: [200, 150]}, "covered_share": 0.93, "skipped_hot": [HOSTILE]
            },
        },
        machine={"processor": HOSTILE, "memory_bytes": 2**33}, git_commit="abc-dirty",
        toolchain={"clang": HOSTILE, "clang_version": HOSTILE},
    )  # fmt: skip


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1400])
def test_the_page_opens_without_a_complaint_and_asks_for_nothing(
    browser: Browser, hostile: Path, width: int, dark: bool
) -> None:
    page = hostile / "report.html"
    browser.open(page, width, dark)
    assert browser.complaints == []
    assert browser.requests == [page.as_uri()]


def test_a_complaint_and_a_request_would_be_noticed(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text("<img src='missing.png'><script>nothing.there()</script>")
    browser.open(page)
    assert (tmp_path / "missing.png").as_uri() in browser.requests
    assert any("nothing is not defined" in complaint for complaint in browser.complaints)


def test_no_text_of_an_app_becomes_markup(browser: Browser, hostile: Path) -> None:
    browser.open(hostile / "report.html")
    assert browser.run("typeof owned") == "undefined"
    assert browser.run("document.querySelectorAll('main script, img').length") == 0
    assert browser.run("document.querySelectorAll('script').length") == 1
    seen = browser.run("document.body.textContent")
    for place in ("h2", ".about", "li", "td", "figure text"):
        texts = browser.run(
            f"[...document.querySelectorAll({json.dumps(place)})].map(e => e.textContent)"
        )
        assert any("<img src=x" in text for text in texts), place
    assert seen.count(HOSTILE) > 20


PLOTS = """[...document.querySelectorAll(".plot svg")].map(svg => {
  const box = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll("text")].map(t => t.getBoundingClientRect());
  const frame = svg.parentElement.getBoundingClientRect();
  return {
    width: box.width, height: box.height, left: frame.left, right: frame.right,
    marks: svg.querySelectorAll("path, use").length, texts: texts.length,
    cut: texts.filter(t => t.left < box.left - 2 || t.right > box.right + 2
      || t.top < box.top - 2 || t.bottom > box.bottom + 2).length,
    smallest: Math.min(...texts.map(t => Math.min(t.height, t.width) || 99)),
  };
})"""


@pytest.mark.parametrize("width", [390, 1400])
def test_all_plots_can_be_seen(browser: Browser, hostile: Path, width: int) -> None:
    browser.open(hostile / "report.html", width)
    found = browser.run(PLOTS)
    assert len(found) == 2 + 2 * 6
    for plot in found:
        assert plot["width"] > 300 and plot["height"] > 90, plot
        assert 0 <= plot["left"] < plot["right"] <= width, plot
        assert plot["marks"] > 5 and plot["texts"] > 5, plot
        assert plot["cut"] == 0, plot
    assert browser.run("document.documentElement.scrollWidth") <= width


CONTRAST = """(() => {
  const channel = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map(channel);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const ground = light(getComputedStyle(document.querySelector("figure")).backgroundColor) + .05;
  const contrast = colour => Math.max(light(colour) + .05, ground)
    / Math.min(light(colour) + .05, ground);
  const colours = (where, name) =>
    [...document.querySelectorAll(where)].map(e => getComputedStyle(e)[name]);
  return [...colours(".plot text", "fill"),
    ...colours("td, th, caption, figcaption", "color")].map(contrast);
})()"""


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_in_light_and_dark(browser: Browser, hostile: Path, dark: bool) -> None:
    browser.open(hostile / "report.html", dark=dark)
    ground = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (int(re.findall(r"\d+", ground)[0]) < 60) is dark
    assert min(browser.run(CONTRAST)) >= 4.5  # WCAG 2.1, 1.4.3


ROWS = """(name => {
  const table = [...document.querySelectorAll("table")].find(
    t => t.caption.textContent === "Speedup over all workloads");
  const column = [...table.tHead.rows[0].cells].findIndex(h => h.textContent === name);
  table.tHead.rows[0].cells[column].querySelector("button").click();
  return [table.tHead.rows[0].cells[column].ariaSort,
    [...table.tBodies[0].rows].map(r => r.cells[column].textContent)];
})"""


def test_a_table_is_sorted_by_the_header_that_is_pressed(browser: Browser, hostile: Path) -> None:
    browser.open(hostile / "report.html")
    for name, key in (("speedup", float), ("variant", str)):
        order, cells = browser.run(f"{ROWS}({name!r})")
        assert order == "ascending"
        assert cells == sorted(cells, key=key) and len(set(cells)) > 5
        order, again = browser.run(f"{ROWS}({name!r})")
        assert order == "descending"
        assert again == sorted(cells, key=key, reverse=True)


def test_the_page_says_what_it_shows_to_who_cannot_see_it(browser: Browser, hostile: Path) -> None:
    browser.open(hostile / "report.html")
    count = "document.querySelectorAll({!r}).length"
    for bad in ("[role=img]:not([aria-label])", "table:not(:has(caption))", "th:not([scope])",
                "thead th:not(:has(button))", "html:not([lang])"):  # fmt: skip
        assert browser.run(count.format(bad)) == 0, bad
    labels = browser.run(
        "[...document.querySelectorAll('[role=img]')].map(e => e.getAttribute('aria-label'))"
    )
    assert all(len(label) > 20 for label in labels)
    assert browser.run(
        "new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size"
        " === document.querySelectorAll('[id]').length"
    )


def test_printing_unfolds_everything_on_white(browser: Browser, hostile: Path) -> None:
    browser.open(hostile / "report.html", dark=True)
    folded = "document.querySelectorAll('details:not([open])').length"
    assert browser.run(folded) > 0
    browser.call("Page.printToPDF")
    assert browser.run(folded) == 0
    browser.open(hostile / "report.html", dark=True, media="print")
    assert browser.run("getComputedStyle(document.querySelector('td')).color") == "rgb(27, 31, 36)"


def test_plots_are_files_of_their_own_that_load_nothing(hostile: Path) -> None:
    assert sorted(p.name for p in hostile.parent.iterdir()) == [hostile.name]
    files = sorted((hostile / "plots").iterdir())
    assert len(files) == 2 + 2 * 6
    for path in files:
        tree = ElementTree.fromstring(path.read_text(encoding="utf-8"))
        assert not list(tree.iter("{http://www.w3.org/2000/svg}script"))
        assert not list(tree.iter("{http://www.w3.org/2000/svg}image"))
        links = re.findall(r'(?:href="|url\()([^")]*)', path.read_text(encoding="utf-8"))
        assert all(link.startswith("#") for link in links)
        shades = re.findall(r"#[0-9a-f]{6}\b", path.read_text(encoding="utf-8"))
        assert set(shades) <= set(plots.PALETTE.values())


def cells(line: str) -> list[str]:
    return re.split(r"(?<!\\)\|", line)[1:-1]


def test_the_summary_is_tables_in_which_names_are_escaped(hostile: Path) -> None:
    text = (hostile / "summary.md").read_text(encoding="utf-8")
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert len(tables) == 3
    for table in tables:
        assert len({len(cells(line)) for line in table.splitlines()}) == 1, table
    assert not re.search(r"(?<!\\)[<`*]", text.replace("**", ""))
    assert markdown.escaped("a\nb\x1b$x$") == "a\ufffdb\ufffd\\$x\\$"


def test_a_figure_shows_a_name_as_it_is() -> None:
    result = {"speedup": 1.1, "interval": [1.0, 1.2], "verdict": "faster"}
    with plots.style():
        svg = plots.forest("f", "$x^2$", {"$a_b$ <i>\x00": result}, 0.01, "").svg
    texts = [e.text for e in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert "$x^2$" in texts and "$a_b$ <i>\ufffd" in texts


def flat(page: Path) -> str:
    """The text of a page in one line."""
    text = page.read_text(encoding="utf-8").partition("<body>")[2].partition("<script>")[0]
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())


OPTIONAL = ["Profile health", "SHA-256", "Training", "How much of the profile fits", "99.8 %",
            "12 with counts, 5 without", "3 read, 1 dropped", "BOLT covers 93.0 %", "-25.0 %",
            "What workloads measured themselves", "31.2 %"]  # fmt: skip
ALWAYS = ["A/A", "95 % interval", "What the variants cost", "Machine", "Toolchain", "Settings",
          "How to reproduce this", "every block", "speedup against build time", "against size",
          "makes app 1.30× [1.30, 1.30] as fast", "Eval workloads"]  # fmt: skip


@pytest.mark.parametrize(
    "said", [*OPTIONAL, "8.0 GiB", "All apps", "(1 dropped)", "the working tree"]
)
def test_what_a_run_knows_is_shown(hostile: Path, said: str) -> None:
    assert said in flat(hostile / "report.html")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one app that knows no more than it must."""
    made = Made(one(o2_pgo=1.3, o2_thin=1.05), blocks=14)
    return made_report(tmp_path_factory.mktemp("plain") / "run", made, app={"profiles": {"pgo": {
        "sha256": "0", "workloads": {"a": {"wall_s": 0.1}}, "instrumented":
        {"build_cpu_s": 1.0, "build_peak_rss_bytes": 10**8},
    }}})  # fmt: skip


@pytest.mark.parametrize("said", ALWAYS)
def test_what_every_run_knows_is_shown(plain: Path, said: str) -> None:
    assert said in flat(plain / "report.html")


@pytest.mark.parametrize("said", [*OPTIONAL[3:], "All apps"])
def test_what_a_run_does_not_know_is_left_out(plain: Path, said: str) -> None:
    assert said not in flat(plain / "report.html")


def test_a_report_gives_the_same_bytes_again(plain: Path) -> None:
    def content() -> dict[str, bytes]:
        return {p.name: p.read_bytes() for p in plain.rglob("*") if p.is_file()}

    before = content()
    (plain / "plots" / "stale.svg").write_text("")
    assert report.main([str(plain)]) == 0
    assert content() == before


def test_a_report_needs_nothing_but_the_files_of_the_run(
    tmp_path: Path, plain: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "elsewhere"
    copy.mkdir()
    for name in ("run.json", "samples.csv", "summary.json"):
        (copy / name).write_bytes((plain / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    assert report.main(["elsewhere"]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "report: elsewhere/report.html",
        "recipe: make recipe APP=app VARIANT=o2-pgo FORMAT=make",
    ]
    assert (copy / "summary.md").read_bytes() == (plain / "summary.md").read_bytes()


def test_an_app_of_a_matrix_takes_its_share_of_three_megabytes(tmp_path: Path) -> None:
    workloads = ("tweets", "numbers", "nested", "objects")
    made = Made({"app": {v: dict.fromkeys(workloads, s) for v, s in MATRIX.items()}}, blocks=61)
    where = made_report(tmp_path / "run", made)
    assert (where / "report.html").stat().st_size < 3_000_000 / 8


def test_instructions_are_shown_without_a_verdict(tmp_path: Path) -> None:
    counts = {"instructions": {"o2": {"one": 1000}, "o3": {"one": 900}}}
    page = flat(made_report(tmp_path / "run", Made(one(o3=1.1)), app=counts) / "report.html")
    assert "0.9000" in page and "no verdict" in page and "faster" not in page.split("Costs")[0]


def test_a_noisy_run_shows_no_speedup(tmp_path: Path) -> None:
    made = Made(one(o3=1.25), disturbed=frozenset(range(8, 25)))
    where = made_report(tmp_path / "run", made)
    for page in (flat(where / "report.html"), (where / "summary.md").read_text()):
        assert "too noisy to say anything" in page
        assert "1.25" not in page
    assert list((where / "plots").iterdir()) == []


def test_every_block_is_a_dot_at_its_speedup() -> None:
    made = Made(one(o3=1.25, o2_thin=0.8), blocks=9, disturbed=frozenset({4}))
    found = run_plots.dots_of(samples_of(made), "app", "o2")
    assert found.keys() == {"o3", "o2-thin", COPY}
    for variant, speedup in (("o3", 1.25), ("o2-thin", 0.8), (COPY, 1.0)):
        assert [block for block, _, _ in found[variant]] == list(range(1, 9))
        assert [block for block, _, counts in found[variant] if not counts] == [4]
        assert [s for _, s, counts in found[variant] if counts] == pytest.approx(
            [speedup] * 7, rel=1e-3
        )


@pytest.mark.parametrize("points, front", [
    ({"a": (1, 1.0)}, ["a"]),
    ({"a": (1, 1.0), "b": (2, 1.2), "c": (3, 1.1)}, ["a", "b"]),
    ({"dear": (9, 1.1), "best": (1, 1.3)}, ["best"]),
    ({"a": (1, 1.0), "b": (1, 1.1)}, ["b"]),
    ({"c": (3, 1.3), "b": (2, 1.2), "a": (1, 1.1)}, ["a", "b", "c"]),
])  # fmt: skip
def test_the_front_is_what_nothing_beats_in_both(
    points: dict[str, tuple[float, float]], front: list[str]
) -> None:
    assert plots.pareto(points) == front


@pytest.mark.parametrize("variant, baseline, said", [
    ("o2-pgo", "o2", "PGO"),
    ("o2-pgo-thin", "o2", "PGO with ThinLTO"),
    ("o2-cspgo-full", "o2", "context-sensitive PGO with full LTO"),
    ("o2-sample-thin", "o2", "sample-based PGO with ThinLTO"),
    ("o3-pgo-thin", "o2", "-O3 with PGO and ThinLTO"),
    ("o2-nopie-pgo-thin-bolt", "o2", "PGO with ThinLTO and BOLT, without PIE"),
    ("o2-nopie-pgo", "o2", "PGO without PIE"),
    ("o2-nopie", "o2", "a build without PIE"),
    ("o2", "o2-nopie", "PIE"),
    ("o2-unity-native", "o2", "a unity build with -march=native"),
    ("o2-pgo-full-startup", "o2", "PGO with full LTO and startup ordering"),
    ("gcc-o2-pgo-full", "o2", "GCC with PGO and full LTO"),
    ("gcc-o2", "o2", "GCC"),
    ("o2-pgo", "gcc-o2", "Clang with PGO"),
    ("os", "o2", "-Os"),
    ("o2-pgo", "o2-thin", "PGO without ThinLTO"),
    ("o2-cspgo", "o2-pgo", "context-sensitive PGO"),
    ("o2-full", "o2-thin", "full LTO"),
    ("o2", "o2-pgo", "a build without PGO"),
    ("o2-inline500", "o2", "more inlining"),
])  # fmt: skip
def test_a_variant_is_said_in_words(variant: str, baseline: str, said: str) -> None:
    assert words.in_words(variant, baseline) == said


@pytest.mark.parametrize("variant, said", [
    ("o2-pgo-thin-bolt", "make recipe APP=a VARIANT=o2-pgo-thin-bolt FORMAT=make"),
    ("gcc-o2-pgo", None),
])
def test_a_winner_is_offered_as_a_recipe(variant: str, said: str | None) -> None:
    results = {"o2": {"speedup": 1.0}, variant: {"speedup": 1.2, "verdict": "faster"}}
    app = {"noisy": False, "variants": results}
    assert words.recipe(app, {"directory": "sample-apps/a"}, {"baseline": "o2"}) == said


def test_every_technique_has_a_word() -> None:
    found = {path.stem for path in (ROOT / "pipeline" / "techniques").glob("*.mk")}
    assert found <= words.WORDS.keys() | {"gcc", "nopie"}


def test_the_command_that_measures_again_names_settings_of_the_makefile(hostile: Path) -> None:
    run = json.loads((hostile / "run.json").read_text())
    commands = [step.command for step in run_page.again(run)]
    assert [c.split()[:2] for c in commands] == [
        ["git", "checkout"], ["make", "matrix"], ["make", "report"]
    ]  # fmt: skip
    given = dict(word.split("=", 1) for word in shlex.split(commands[1])[2:])
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert given.keys() <= set(re.findall(r"^([A-Z_]+) :=", makefile, re.MULTILINE))
    assert given["VARIANTS"].split() == ["o2", *MATRIX]
    assert (given["PRECISION"], given["BUDGET"], given["MIN_EFFECT"]) == ("1%", "60s", "0.5%")
    assert (given["BASELINE"], given["LAYOUTS"], given["ASLR"]) == ("o2", "4", "yes")
