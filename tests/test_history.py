"""All runs of results/ as trends: what is compared with what, and what is left out."""

import json
import re
from pathlib import Path
from typing import Any

import analyse
import history
import pytest
from browser import Browser
from conftest import Project
from test_analyse import Made, one, write

from pgolab import plots
from pgolab.errors import Failure

MACHINE: dict[str, Any] = {
    "processor": "One", "architecture": "x86_64", "cpus": 2, "memory_bytes": 8 << 30,
    "kernel": "6.1", "governor": None,
}  # fmt: skip
OTHER = MACHINE | {"cpus": 4}


def add(
    results: Path, number: int, made: Made, machine: dict[str, Any], judge: bool = True
) -> Path:
    """A run of day `number` on a machine."""
    results.mkdir(exist_ok=True)
    run = write(results / f"202601{number:02}-120000-amber", made)
    facts = json.loads((run / "run.json").read_text())
    facts["machine"] = machine
    (run / "run.json").write_text(json.dumps(facts))
    if judge:
        assert analyse.main([str(run)]) == 0
    return run


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Three runs on one machine, one on another, and some of which nothing can be shown."""
    where = tmp_path / "results"
    for number, speedup in ((1, 1.2), (2, 1.2), (4, 1.3)):
        add(where, number, Made(one(o2_pgo=speedup, o3=1.0), blocks=14), MACHINE)
    add(where, 3, Made(one(o2_pgo=1.5), blocks=14), OTHER)
    add(where, 5, Made(one(o3=1.2), disturbed=frozenset(range(2, 25))), MACHINE)
    add(where, 6, Made(one(o3=1.2), blocks=14), MACHINE, judge=False)
    broken = add(where, 7, Made(one(o3=1.2), blocks=14), MACHINE)
    (broken / "run.json").write_text("{")
    (where / ".20260108-120000-amber").mkdir()
    (where / "latest").symlink_to("20260104-120000-amber")
    return where


def test_machines_are_kept_apart_and_runs_are_in_the_order_of_time(results: Path) -> None:
    series, _ = history.collect(results)
    found = {s.machine: [p.run[:8] for p in s.variants["o2-pgo"]] for s in series}
    assert found == {
        "One, x86_64, 2 CPUs, 8 GiB": ["20260101", "20260102", "20260104"],
        "One, x86_64, 4 CPUs, 8 GiB": ["20260103"],
    }


@pytest.mark.parametrize("change, same", [
    ({"kernel": "6.2"}, True), ({"memory_bytes": (8 << 30) - 10**6}, True),
    ({"memory_bytes": 16 << 30}, False), ({"processor": "Two"}, False), ({"cpus": 8}, False),
    ({"governor": "powersave"}, False), ({"architecture": "aarch64"}, False),
])  # fmt: skip
def test_what_makes_a_machine_another(change: dict[str, Any], same: bool) -> None:
    before, after = {"machine": MACHINE}, {"machine": MACHINE | change}
    assert (history.machine_of(before) == history.machine_of(after)) is same


def test_another_baseline_is_another_series(tmp_path: Path) -> None:
    for number, baseline in ((1, "o2"), (2, "o3")):
        run = add(tmp_path / "results", number, Made(one(o3=1.2), blocks=14), MACHINE)
        judged = json.loads((run / "summary.json").read_text())
        (run / "summary.json").write_text(json.dumps(judged | {"baseline": baseline}))
    series, _ = history.collect(tmp_path / "results")
    assert [s.baseline for s in series] == ["o2", "o3"]


def test_runs_that_cannot_be_shown_are_named_with_the_reason(results: Path) -> None:
    _, left_out = history.collect(results)
    assert [line[:8] for line in left_out] == ["20260105", "20260106", "20260107"]
    assert "without speedups" in left_out[0]
    assert f"make report RUN={results}" in left_out[1]
    assert "is not a run" in left_out[2]


@pytest.mark.parametrize("intervals, said", [
    ([[1.0, 1.1]], ""), ([[1.0, 1.1], [1.05, 1.2]], "no"), ([[1.0, 1.1], [1.1, 1.2]], "no"),
    ([[1.0, 1.1], [1.2, 1.3]], "up"), ([[1.0, 1.1], [0.8, 0.9]], "down"),
    ([[1.0, 1.1], [1.2, 1.3], [1.2, 1.3]], "no"),
])  # fmt: skip
def test_a_variant_moved_when_its_last_two_intervals_lie_apart(
    intervals: list[list[float]], said: str
) -> None:
    points = [history.Point("r", {"interval": i}, "", "") for i in intervals]
    assert history.moved(points) == said


@pytest.mark.parametrize("wanted, found", [
    ([1.0, 5.0], [1.0, 5.0]), ([5.0, 5.0], [5.0, 6.0]), ([9.9, 10.0, 9.8], [9.0, 10.0, 8.0]),
    ([3.5, 3.0], [4.0, 3.0]),
])  # fmt: skip
def test_labels_are_a_step_apart(wanted: list[float], found: list[float]) -> None:
    assert plots.apart(wanted, 1.0, 10.0) == pytest.approx(found)


def test_the_terminal_shows_the_first_and_the_latest(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert history.main([str(results)]) == 0
    output = capsys.readouterr().out
    row = next(line for line in output.splitlines() if line.startswith("o2-pgo "))
    assert row.split()[:4] == ["o2-pgo", "3", "1.200", "1.200"]
    assert re.search(r"1\.300 \[1\.\d+, 1\.\d+\] +up$", row)
    tables = output.partition("history: ")[0]
    assert max(len(line) for line in tables.splitlines() if "left out" not in line) <= 80


def test_the_page_opens_with_a_plot_per_machine_and_app(results: Path, tmp_path: Path) -> None:
    history.main([str(results)])
    page = results / "history.html"
    with Browser(tmp_path / "chromium") as browser:
        for width in (390, 1400):
            browser.open(page, width)
            assert (browser.complaints, browser.requests) == ([], [page.as_uri()])
            boxes = browser.run(
                "[...document.querySelectorAll('.plot svg')]"
                ".map(s => s.getBoundingClientRect().width)"
            )
            assert len(boxes) == 2 and min(boxes) > 300
            assert browser.run("document.documentElement.scrollWidth") <= width


def test_without_a_run_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(Failure) as raised:
        history.main([str(tmp_path)])
    assert "there is no run in" in raised.value.message


def test_runs_without_speedups_are_not_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noisy = Made(one(o3=1.2), disturbed=frozenset(range(2, 25)))
    run = add(tmp_path / "results", 1, noisy, MACHINE)
    assert history.main([str(run.parent)]) == 0
    assert f"left out: {run.name}: without speedups" in capsys.readouterr().out
    assert f"{run.name}: without speedups" in (run.parent / "history.html").read_text()


def test_make_history_writes_the_page(project: Project) -> None:
    assert "there is no run in 'results'" in project.error("history")
    add(project.root / "results", 1, Made(one(o3=1.1), blocks=14), MACHINE)
    assert project.ok("history").splitlines()[-1] == "history: results/history.html"
    assert (project.root / "results" / "history.html").is_file()
