"""Analysis and report of runs that are written here, with ratios that are known."""

import csv
import json
import math
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import analyse
import numpy as np
import pytest
import report
import timing
from hypothesis import given
from hypothesis import strategies as st

from pgolab import judge, record, schedule
from pgolab.errors import Failure
from pgolab.record import COPY, Metric, Row, Sample

Speedups = dict[str, dict[str, float]]  # of a variant, on each workload


@dataclass(frozen=True)
class Made:
    """What a synthetic run is made of; noise in ln units; disturbed: numbers of blocks."""

    apps: dict[str, Speedups]
    blocks: int = 25
    layouts: int = 4
    noise: float = 1e-5
    disturbed: frozenset[int] = frozenset()
    settings: dict[str, Any] = field(default_factory=dict)
    long_runs: dict[str, Any] | None = None
    advice: tuple[str, ...] = ()


BASE_S = 0.040
BINARY = {
    "sha256": "0", "file_bytes": 70000, "sections": {".text": 50000}, "layouts": [],
    "hot_text_bytes": 9000,
    "relinks": {"layouts": 4, "wanted": 4, "wall_s": 1.0, "cpu_s": 1.5},
    "build_cpu_s": 2.0, "build_peak_rss_bytes": 10**8,
}  # fmt: skip
PROFILE = {
    "sha256": "0", "workloads": {"a": {"wall_s": 0.25}, "b": {"wall_s": 0.5}},
    "instrumented": {"build_cpu_s": 3.0, "build_peak_rss_bytes": 10**8},
}  # fmt: skip


def samples_of(made: Made) -> Iterable[Sample]:
    """The samples of a run: block 0 and disturbed blocks measure nonsense."""
    rng = np.random.default_rng(1)
    for app, variants in made.apps.items():
        arms = schedule.arms(["o2", *variants], "o2", COPY)
        workloads = list(next(iter(variants.values())))
        for block in range(made.blocks):
            odd = block == 0 or block in made.disturbed
            for workload in workloads:
                for position, arm in enumerate(rng.permutation(arms)):
                    speedup = variants.get(arm, {}).get(workload, 1.0)
                    wall_s = BASE_S / speedup * math.exp(rng.normal(0, made.noise))
                    if odd:
                        wall_s *= 1 + position
                    foreign_s = 0.5 if block in made.disturbed else 0.0
                    yield Sample(
                        app, workload, str(arm), block % made.layouts, block, position,
                        wall_s, wall_s, 0.0, 10**6, 0.5, 0.0, foreign_s, 0.1,
                    )  # fmt: skip


def write_rows(path: Path, kind: type[Row], rows: Iterable[Row]) -> None:
    writer = record.Writer(path, kind)
    writer.add(rows)
    writer.close()


def write(path: Path, made: Made, metrics: Iterable[Metric] = ()) -> Path:
    """Writes the run to a directory."""
    path.mkdir()
    write_rows(path / "samples.csv", Sample, samples_of(made))
    write_rows(path / "metrics.csv", Metric, metrics)
    settings = {
        "baseline": "o2", "precision": 0.01, "budget_s": 60.0, "min_effect": 0.005,
        "layouts": made.layouts, "metric": "time", "aslr": True, "aa_floor": None,
    } | made.settings  # fmt: skip
    apps = {
        app: {
            "about": "an app", "directory": "sample-apps/app",
            "layouts": made.layouts, "pinned_cpu": 1,
            "workloads": {
                w: {"command": ["@BIN@"], "scale": 10, "work": [2.0, "MB"] if w == "one" else None}
                for w in next(iter(variants.values()))
            },
            "variants": {
                v: BINARY | {"profiles": ["pgo"] if "pgo" in v else []} for v in ["o2", *variants]
            },
            "profiles": {"pgo": PROFILE},
            "advice": list(made.advice), "long_runs": made.long_runs, "measuring_s": 1.0,
        }
        for app, variants in made.apps.items()
    }  # fmt: skip
    run = {
        "schema": record.SCHEMA, "run": path.name, "settings": settings, "seed": 1,
        "git_commit": None, "toolchain": {}, "machine": {}, "apps": apps,
    }  # fmt: skip
    (path / "run.json").write_text(json.dumps(run))
    return path


def summary(path: Path, made: Made, metrics: Iterable[Metric] = ()) -> dict[str, Any]:
    """The summary of a run written to a directory."""
    assert analyse.main([str(write(path / "run", made, metrics))]) == 0
    found: dict[str, Any] = json.loads((path / "run" / "summary.json").read_text())
    return found


def one(**speedups: float) -> dict[str, Speedups]:
    """One app with one workload; a variant's name has _ for -."""
    return {"app": {v.replace("_", "-"): {"one": s} for v, s in speedups.items()}}


def shown(path: Path, made: Made, capsys: pytest.CaptureFixture[str]) -> str:
    """What the report of a run prints."""
    summary(path, made)
    capsys.readouterr()
    assert report.main([str(path / "run")]) == 0
    return capsys.readouterr().out


def widest(output: str) -> int:
    """The length of the longest line but that with a path of this test's."""
    return max(len(line) for line in output.splitlines() if not line.startswith("report: "))


def test_speedups_are_those_of_the_samples(tmp_path: Path) -> None:
    speedups = {
        "o2-pgo": {"one": 1.25, "two": 1.1, "three": 0.9}, "o2-thin": dict.fromkeys(
            ("one", "two", "three"), 1.02)
    }  # fmt: skip
    found = summary(tmp_path, Made({"app": speedups}))["apps"]["app"]
    for variant, by_workload in speedups.items():
        result = found["variants"][variant]
        mean = math.prod(by_workload.values()) ** (1 / 3)
        assert result["speedup"] == pytest.approx(mean, rel=1e-4)
        assert result["interval"][0] < result["speedup"] < result["interval"][1]
        for workload, speedup in by_workload.items():
            own = result["workloads"][workload]
            assert own["speedup"] == pytest.approx(speedup, rel=1e-4)
            assert own["median_s"] == pytest.approx(BASE_S / speedup, rel=1e-3)
    assert found["aa"]["speedup"] == pytest.approx(1, abs=1e-4)
    assert found["variants"]["o2"]["speedup"] == 1.0


@pytest.mark.parametrize("speedup, noise, settings, verdict", [
    (1.2, 1e-4, {}, "faster"),
    (0.8, 1e-4, {}, "slower"),
    (1.0, 1e-4, {}, "same"),
    (1.003, 1e-4, {}, "same"),
    (1.006, 1e-4, {}, "faster"),
    (0.994, 1e-4, {}, "slower"),
    (1.0, 0.1, {}, "inconclusive"),
    (1.006, 1e-4, {"min_effect": 0.01}, "same"),
    (1.006, 1e-4, {"aa_floor": 0.01}, "same"),
    (1.02, 1e-4, {"aa_floor": 0.01}, "faster"),
    (1.003, 1e-4, {"aa_floor": 0.001}, "same"),
])  # fmt: skip
def test_a_verdict_is_that_of_the_known_ratio(
    tmp_path: Path, speedup: float, noise: float, settings: dict[str, float], verdict: str
) -> None:
    found = summary(tmp_path, Made(one(o3=speedup), noise=noise, settings=settings))
    assert found["apps"]["app"]["variants"]["o3"]["verdict"] == verdict
    assert found["apps"]["app"]["variants"]["o2"]["verdict"] == "baseline"
    assert found["geomean"]["o3"]["verdict"] == verdict


def test_throughput_is_the_work_of_a_run_over_its_time(tmp_path: Path) -> None:
    variants = summary(tmp_path, Made({"app": {"o3": {"one": 1.25, "two": 1.0}}}))["apps"]["app"][
        "variants"]  # fmt: skip
    for variant, speedup in (("o2", 1.0), ("o3", 1.25)):
        found = variants[variant]["workloads"]["one"]["throughput"]
        assert found["unit"] == "MB/s"
        assert found["value"] == pytest.approx(2.0 * 10 / BASE_S * speedup, rel=1e-3)
        assert "throughput" not in variants[variant]["workloads"]["two"]


@pytest.mark.parametrize("noise, precision, met", [(1e-4, 0.01, True), (0.1, 0.01, False)])
def test_the_summary_says_whether_the_precision_was_met(
    tmp_path: Path, noise: float, precision: float, met: bool
) -> None:
    made = Made(one(o3=1.1), noise=noise, settings={"precision": precision})
    found = summary(tmp_path, made)["apps"]["app"]
    assert found["precision"]["target"] == precision
    assert found["precision"]["met"] is met
    assert (found["precision"]["reached"] <= precision) is met


def test_costs_are_those_of_the_build_and_the_training(tmp_path: Path) -> None:
    variants = summary(tmp_path, Made(one(o3=1.0, o2_pgo=1.1)))["apps"]["app"]["variants"]
    for variant in ("o2", "o3", "o2-pgo"):
        costs = variants[variant]["costs"]
        assert (costs["file_bytes"], costs["text_bytes"]) == (70000, 50000)
        assert costs["build_cpu_s"] == 2.0
        assert ("train_wall_s" in costs) == (variant == "o2-pgo")
    assert variants["o2-pgo"]["costs"]["train_wall_s"] == 0.75


def test_disturbed_blocks_are_dropped_and_counted(tmp_path: Path) -> None:
    made = Made(one(o3=1.25), disturbed=frozenset({0, 3, 7, 11}))
    found = summary(tmp_path, made)["apps"]["app"]
    assert (found["blocks"], found["dropped_blocks"], found["noisy"]) == (21, 3, False)
    assert found["variants"]["o3"]["speedup"] == pytest.approx(1.25, rel=1e-4)


def test_a_run_of_which_most_was_disturbed_says_nothing_but_that(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Made(one(o3=1.25), disturbed=frozenset(range(8, 25)))
    output = shown(tmp_path, made, capsys)
    found = json.loads((tmp_path / "run/summary.json").read_text())
    assert found["apps"]["app"]["noisy"] is True
    assert found["apps"]["app"]["dropped_blocks"] == 17
    assert "verdict" not in json.dumps(found)
    assert found["geomean"] == {}
    assert "too noisy to say anything" in output
    assert "17 of 24 blocks" in " ".join(output.split())
    assert "1.25" not in output


def test_the_mean_over_apps_is_geometric(tmp_path: Path) -> None:
    apps = {"a": {"o3": {"one": 1.2}}, "b": {"o3": {"one": 1.5, "two": 1.5}}}
    found = summary(tmp_path, Made(apps))["geomean"]["o3"]
    assert found["speedup"] == pytest.approx(math.sqrt(1.2 * 1.5), rel=1e-4)
    assert found["interval"][0] < found["speedup"] < found["interval"][1]


def test_an_analysis_gives_the_same_bytes_again(tmp_path: Path) -> None:
    made = Made(one(o3=1.1, o2_pgo=1.2), noise=0.02)
    summary(tmp_path, made)
    first = (tmp_path / "run/summary.json").read_bytes()
    analyse.main([str(tmp_path / "run")])
    assert (tmp_path / "run/summary.json").read_bytes() == first


def test_metrics_are_judged_with_more_or_less_being_better(tmp_path: Path) -> None:
    made = Made(one(o3=1.25))
    metrics = [
        Metric("app", "one", s.variant, s.block, s.position, name, value, better)
        for s in samples_of(made)
        for name, better, value in (
            ("latency", "lower", 8.0 if s.variant == "o3" else 10.0),
            ("rate", "higher", 8.0 if s.variant == "o3" else 10.0),
        )
    ]
    variants = summary(tmp_path, made, metrics)["apps"]["app"]["variants"]
    found = variants["o3"]["workloads"]["one"]["metrics"]
    assert found["latency"]["speedup"] == pytest.approx(1.25, rel=1e-4)
    assert found["rate"]["speedup"] == pytest.approx(0.8, rel=1e-4)
    assert (found["latency"]["verdict"], found["rate"]["verdict"]) == ("faster", "slower")
    assert (found["latency"]["median"], found["rate"]["median"]) == (8, 8)
    assert variants["o2"]["workloads"]["one"]["metrics"]["rate"]["median"] == 10


@pytest.mark.parametrize("speedups, sentence", [
    ({"o3": 1.0, "o2_pgo": 1.3}, "PGO makes app 1.30 times as fast on workloads it was not"),
    ({"o2_pgo_thin": 1.4, "o2_pgo": 1.3}, "PGO with ThinLTO makes app 1.40 times as fast"),
    ({"o3": 1.0, "o2_thin": 1.001}, "No variant changes the speed of app by more than 0.5 %."),
    ({"o3": 0.9, "o2_thin": 0.8}, "Every variant makes app slower than o2."),
    ({"o3": 1.0, "o2_thin": 0.8}, "No variant is detectably faster than o2."),
])  # fmt: skip
def test_the_report_ends_with_what_the_table_means(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], speedups: dict[str, float], sentence: str
) -> None:
    output = shown(tmp_path, Made(one(**speedups)), capsys)
    assert sentence in " ".join(output.split())
    assert widest(output) <= 80
    for variant in ("o2", *speedups):
        assert f"\n{variant.replace('_', '-')} " in output


def test_nothing_is_called_slow_or_fast_where_nothing_was_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = shown(tmp_path, Made(one(o3=1.0), noise=0.1), capsys)
    assert "inconclusive" in output
    assert "times as fast" not in output


def test_a_report_of_many_variants_and_workloads_keeps_to_80_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workloads = [f"a-long-workload-{n}" for n in range(7)]
    names = (f"{level}-nopie-cspgo-thin-bolt" for level in ("o1", "o3", "os"))
    variants = {name: dict.fromkeys(workloads, 1.1) for name in names}
    output = shown(tmp_path, Made({"app": variants}), capsys)
    assert widest(output) <= 80
    for workload in workloads:
        assert workload in output


@pytest.mark.parametrize("long, holds", [
    ([-0.0953] * 6, True),
    ([-0.40, -0.41, -0.40, -0.39, -0.40, -0.41], False),
])  # fmt: skip
def test_a_ratio_that_longer_runs_do_not_confirm_is_noted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], long: list[float], holds: bool
) -> None:
    checked = {"variant": "o3", "factor": 8, "ln_ratios": long}
    output = shown(tmp_path, Made(one(o3=1.1), noise=0.002, long_runs=checked), capsys)
    found = json.loads((tmp_path / "run/summary.json").read_text())["apps"]["app"]["long_runs"]
    assert found["holds"] is holds
    assert ("in runs 8 times as long" in output) is not holds


def test_advice_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = shown(tmp_path, Made(one(o3=1.1), advice=("give it work",)), capsys)
    assert "note: give it work" in output


def edited(run: Path, name: str, old: str, new: str) -> None:
    text = (run / name).read_text()
    assert old in text
    (run / name).write_text(text.replace(old, new, 1))


@pytest.mark.parametrize("name, old, new, message", [
    ("run.json", "pgolab.run/1", "pgolab.run/2", "the schema 'pgolab.run/2', not 'pgolab.run/1'"),
    ("run.json", '"schema"', '"scheme"', "run.json' is not a run"),
    ("run.json", "{", "", "run.json' is not a run"),
    ("samples.csv", "wall_s", "seconds", "samples.csv' does not start with the columns of a run"),
    ("samples.csv", "\napp,one", "\napp,", "samples.csv' lacks timings in block 0 of app"),
    ("samples.csv", "\napp,one", "\nnonsense\napp,one", "samples.csv:2: not a row of a run"),
    ("samples.csv", ",0,0,0,", ",0,0,zero,", "samples.csv:2: not a row of a run"),
    ("samples.csv", ",0.5,0,0,", ",nan,0,0,", "samples.csv:2: not a row of a run"),
    ("samples.csv", ",0.5,0,0,0.1\n", ",0.5,0,0\n", "samples.csv:2: not a row of a run"),
    ("metrics.csv", "better", "worse", "metrics.csv' does not start with the columns of a run"),
])  # fmt: skip
def test_a_file_that_is_no_runs_is_one_clear_error(
    tmp_path: Path, name: str, old: str, new: str, message: str
) -> None:
    run = write(tmp_path / "run", Made(one(o3=1.1)))
    edited(run, name, old, new)
    with pytest.raises(Failure) as raised:
        analyse.main([str(run)])
    assert message in raised.value.message
    assert not (run / "summary.json").exists()


@pytest.mark.parametrize("name", ["run.json", "samples.csv", "metrics.csv"])
def test_a_missing_file_is_one_clear_error(tmp_path: Path, name: str) -> None:
    run = write(tmp_path / "run", Made(one(o3=1.1)))
    (run / name).unlink()
    with pytest.raises((Failure, FileNotFoundError)) as raised:
        analyse.main([str(run)])
    assert str(run) in str(raised.value)
    assert "Errno" not in str(raised.value) or name in str(raised.value)


@pytest.mark.parametrize("keep", [
    lambda s: s.block < 20 or s.position > 0,
    lambda s: s.variant != "o3",
    lambda s: s.variant != COPY,
    lambda s: s.block < 0,
    lambda s: s.app != "b",
], ids=["a cut block", "no variant", "no copy", "nothing", "no app"])  # fmt: skip
def test_samples_that_lack_something_are_one_clear_error(tmp_path: Path, keep: Any) -> None:
    made = Made(one(o3=1.1) | {"b": {"o3": {"one": 1.1}}})
    run = write(tmp_path / "run", made)
    write_rows(run / "samples.csv", Sample, (s for s in samples_of(made) if keep(s)))
    with pytest.raises(Failure) as raised:
        analyse.main([str(run)])
    assert "samples.csv" in raised.value.message


def test_a_report_needs_an_analysis(tmp_path: Path) -> None:
    run = write(tmp_path / "run", Made(one(o3=1.1)))
    with pytest.raises(Failure) as raised:
        report.main([str(run)])
    assert "has no summary.json" in raised.value.message


def sample(block: int, variant: str, wall_s: float, **others: Any) -> Sample:
    base = Sample("app", "one", variant, block % 2, block, 0, wall_s, 0, 0, 0, 1.0, 0, 0, 0)
    return replace(base, **others)


def test_blocks_hold_seconds_by_block_run_and_workload() -> None:
    samples = [
        sample(block, variant, 100 * block + 10 * run + w, workload=f"w{w}")
        for block in (2, 0, 1) for w in (1, 2) for variant, run in (("o2", 0), ("o3", 5), ("o2", 1))
    ]  # fmt: skip
    blocks = judge.blocks_of(samples + [sample(1, "o2", 9, app="other")], "app")
    assert blocks.workloads == ["w1", "w2"]
    assert blocks.values["o2"].tolist() == [[[101, 102], [111, 112]], [[201, 202], [211, 212]]]
    assert blocks.values["o3"].tolist() == [[[151, 152]], [[251, 252]]]
    assert (blocks.layouts.tolist(), blocks.count, blocks.dropped) == ([1, 0], 2, 0)


@pytest.mark.parametrize("change, kept", [
    ({}, True), ({"steal_s": 0.07}, True), ({"steal_s": 0.09}, False),
    ({"foreign_s": 0.12}, True), ({"foreign_s": 0.14}, False),
    ({"load": 50.0}, True), ({"wall_s": 99.0}, True),
])  # fmt: skip
def test_a_block_counts_by_what_disturbed_it_not_by_what_it_measured(
    change: dict[str, float], kept: bool
) -> None:
    assert judge.quiet(replace(sample(1, "o2", 1.0), **change)) is kept


@pytest.mark.parametrize("disturbed, noisy", [(0, False), (2, False), (3, True), (4, True)])
def test_half_of_the_blocks_have_to_count(disturbed: int, noisy: bool) -> None:
    samples = [
        sample(b, v, 1.0, foreign_s=9.0 if b <= disturbed else 0.0)
        for b in range(5) for v in ("o2", "o3")
    ]  # fmt: skip
    assert judge.blocks_of(samples, "app").noisy is noisy


@given(st.integers(1, 14), st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_orders_are_latin_squares(count: int, seed: int, squares: int) -> None:
    rows = schedule.orders(count, np.random.default_rng(seed))
    for _ in range(squares):
        square = np.array([next(rows) for _ in range(count)])
        for line in (*square, *square.T):
            assert sorted(line) == list(range(count))


def test_orders_are_random() -> None:
    first = {tuple(next(schedule.orders(5, np.random.default_rng(n)))) for n in range(200)}
    assert len(first) > 60


@given(st.integers(1, 40))
def test_a_block_times_each_variant_and_more_often_the_baseline(others: int) -> None:
    names = ["o2", *(f"v{n}" for n in range(others))]
    arms = schedule.arms(names, "o2", COPY)
    assert sorted(set(arms)) == sorted([*names, COPY])
    assert arms.count("o2") >= 2
    assert abs(arms.count("o2") - math.sqrt(others)) <= 1.01
    assert len(arms) == others + arms.count("o2") + 1


seconds = st.floats(1e-9, 1e9)
words = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1)
counts = st.integers(0, 10**12)


@given(st.lists(st.builds(
    Sample, words, words, words, counts, counts, counts, *[seconds] * 3, counts, *[seconds] * 4
)))  # fmt: skip
def test_rows_are_read_as_they_were_written(samples: list[Sample]) -> None:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "samples.csv"
        write_rows(path, Sample, samples)
        back = record.read_rows(path, Sample)
    for old, new in zip(samples, back, strict=True):
        for value, read in zip(asdict(old).values(), asdict(new).values()):
            assert read == (pytest.approx(value, rel=1e-8) if isinstance(value, float) else value)


def test_rows_are_in_the_file_as_soon_as_they_are_added(tmp_path: Path) -> None:
    writer = record.Writer(tmp_path / "metrics.csv", Metric)
    writer.add([Metric("a", "w", "o2", 1, 2, "p99", 0.5, "lower")])
    with (tmp_path / "metrics.csv").open(newline="") as file:
        assert list(csv.reader(file))[1] == ["a", "w", "o2", "1", "2", "p99", "0.5", "lower"]
    writer.close()


@pytest.mark.parametrize("intervals, seconds", [
    ([], 0), ([(1, 3)], 2), ([(1, 3), (2, 5)], 4), ([(2, 5), (1, 3)], 4), ([(1, 9), (2, 3)], 8),
    ([(1, 2), (4, 6)], 3), ([(1, 2), (2, 3)], 2), ([(1, 1)], 0), ([(1, 3), (1, 3)], 2),
])  # fmt: skip
def test_time_that_several_take_at_once_counts_once(
    intervals: list[tuple[float, float]], seconds: float
) -> None:
    assert timing.covered(intervals) == seconds
