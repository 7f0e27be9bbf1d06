"""Racing: what is dropped and when, whose figures come from which blocks, what is recommended."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import analyse
import numpy as np
import pytest
import report
import simulate
import simulate_race
from test_analyse import BINARY, Made, write

from pgolab import bench, judge, race, record, recommend, runner, stats
from pgolab.bench import Bench
from pgolab.errors import Failure
from pgolab.manifest import Manifest, Workload
from pgolab.progress import Progress
from pgolab.record import COPY, Journal, Sample
from pgolab.settings import Settings

TRUTH = {"o2": 0.0, "o3": -0.05, "o2-thin": -0.3, "o2-pgo": -0.297, "os": 0.2}  # ln times


class FakeBench(Bench):
    """A bench that makes times up; each block depends on its number alone."""

    def __init__(self, settings: Settings, truth: dict[str, float], noise: float = 0.003) -> None:
        self.app = Manifest("app", Path("app"), "made up", (), False, ())
        self.workloads = [Workload("eval", name, ("@BIN@",)) for name in ("one", "two")]
        self.settings = settings
        self.layouts = 4
        self.variants = list(truth)
        self.arms: list[str] = []
        self.truth = truth
        self.noise = noise
        self.timed = 0
        self.kill_at: int | None = None
        self.hyperfine = bench.Hyperfine(Path("."))

    def block(self, number: int, rows: list[Any]) -> Any:
        if self.timed == self.kill_at:
            raise KeyboardInterrupt
        self.timed += 1
        rng = np.random.default_rng([7, number])
        samples = []
        for one, order in zip(self.workloads, rows):
            for position, arm in enumerate(order):
                variant = self.arms[arm]
                ln_s = self.truth["o2" if variant == COPY else variant] + rng.normal(0, self.noise)
                wall_s = 0.04 * float(np.exp(ln_s))
                samples.append(Sample("app", one.name, variant, number % 4, number, position,
                                      wall_s, wall_s, 0.0, 1, 1.0, 0.0, 0.0, 0.1))  # fmt: skip
        return samples, [record.Metric("app", "one", "o2", number, 0, "x", 1.0, "lower")]


def chosen(**changes: Any) -> Settings:
    values: dict[str, Any] = {
        "baseline": "o2", "precision": 0.01, "budget_s": 60.0, "min_effect": 0.005, "layouts": 4,
        "metric": "time", "aslr": True, "race": True,
    }  # fmt: skip
    return Settings(**(values | changes))


def timed(
    bench: FakeBench, journal: Journal | None = None, budget_s: float = 60.0
) -> tuple[list[Sample], dict[str, Any] | None]:
    with Progress(["app"], 0.01) as progress:
        return runner.time_blocks(bench, [5], budget_s, "/tmp", progress, journal)


def run_of(path: Path, samples: list[Sample], raced: dict[str, Any] | None) -> Path:
    """Writes the run that these samples are of."""
    write(path, Made({"app": {v: {"one": 1.0, "two": 1.0} for v in TRUTH if v != "o2"}}, blocks=1))
    writer = record.Writer(path / "samples.csv", Sample)
    writer.add(samples)
    writer.close()
    run = json.loads((path / "run.json").read_text())
    run["settings"]["race"] = True
    if raced:
        run["apps"]["app"]["race"] = raced
    (path / "run.json").write_text(json.dumps(run))
    return path


def summary_of(path: Path) -> dict[str, Any]:
    assert analyse.main([str(path)]) == 0
    found: dict[str, Any] = json.loads((path / "summary.json").read_text())
    return found


# -- the rule

def test_all_levels_of_a_race_add_up_to_its_own() -> None:
    for variants in (2, 5, 20):
        each = [stats.race_level(look, variants) / 2 for look in range(1, 20001)]
        assert sum(each) * (variants - 1) == pytest.approx(stats.RACE_ALPHA, rel=1e-3)


def test_a_variant_is_behind_when_its_interval_to_the_best_lies_wholly_above_zero() -> None:
    noise = np.array([-1.0, 1.0, -2.0, 2.0] * 3)[:, None, None]
    step = np.array([0.0, 1.0, -1.0, 0.5] * 3)[:, None, None]
    d = np.concatenate([noise, noise + 10 * step + 0.1, noise + step / 10 + 1], axis=2)
    found = stats.race_look(d, None, 1, 3)
    # Against the first one the second is 0.1 with a wide interval, the third 1 with a narrow one.
    assert (found.best, found.behind.tolist()) == (0, [False, False, True])
    second = stats.estimate(10 * step[:, 0, 0] + 0.1)
    assert found.width == pytest.approx(second.half_width(stats.ALPHA))


def test_later_looks_ask_for_more() -> None:
    rng = np.random.default_rng(3)
    d = rng.normal([0.0, 0.025], 0.01, (12, 1, 2))
    behind = [bool(stats.race_look(d, None, look, 2).behind.any()) for look in (1, 10, 10000)]
    assert behind == sorted(behind, reverse=True) and behind[0] != behind[-1]


def played(
    noise: str, sd: float | None, truth: list[float], replications: int
) -> list[simulate_race.Raced]:
    rng = np.random.default_rng(11)
    layouts: Any = None if sd is None else np.arange(80) % 16
    each, best = np.array(truth), int(np.argmin(truth))
    found = []
    for _ in range(replications):
        d = simulate_race.noisy(rng, simulate.NOISES[noise], each, 2, 80, sd, 16)
        found.append(simulate_race.race(d, layouts, best, 0.01, 80 * 10))
    return found


@pytest.mark.parametrize("noise, sd", [("gaussian", None), ("spikes", None), ("gaussian", 0.014)])
def test_a_race_loses_the_best_of_equals_no_more_often_than_it_says(
    noise: str, sd: float | None
) -> None:
    lost = sum(r.lost_best for r in played(noise, sd, [0.0] * 5, 60))
    assert stats.binomial_interval(lost, 60)[0] <= stats.RACE_ALPHA


def test_looks_that_each_spend_the_whole_level_lose_it_more_often(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stats, "race_level", lambda look, variants: 2 * stats.RACE_ALPHA)
    lost = sum(r.lost_best for r in played("gaussian", None, [0.0] * 5, 60))
    assert stats.binomial_interval(lost, 60)[0] > stats.RACE_ALPHA


def test_the_figure_that_chose_the_winner_flatters_it_and_the_reported_one_does_not() -> None:
    found = played("gaussian", None, [0.0] * 8, 60)
    assert np.mean([r.chosen_by for r in found]) < -0.002
    assert abs(np.mean([r.mean for r in found])) < 0.0015
    assert np.mean([abs(r.mean) <= r.half_width for r in found]) >= 0.9


# -- a race as it is run

def test_a_race_drops_the_clearly_slower_and_measures_the_best_two_again(tmp_path: Path) -> None:
    samples, raced = timed(FakeBench(chosen(), TRUTH))
    assert raced is not None
    assert (raced["winner"], raced["runner_up"]) == ("o2-thin", "o2-pgo")
    assert {v: d["block"] for v, d in raced["dropped"].items()} == {"o3": 12, "os": 12}
    fresh = {s.variant for s in samples if s.block >= raced["confirmed_from"]}
    assert fresh == {"o2", COPY, "o2-thin", "o2-pgo"}
    assert {s.variant for s in samples if s.block <= 12} == {*TRUTH, COPY}
    assert sorted({s.block for s in samples}) == list(range(max(s.block for s in samples) + 1))


def test_the_best_left_alone_is_measured_again_with_the_best_that_was_dropped() -> None:
    _, raced = timed(FakeBench(chosen(), TRUTH | {"o2-pgo": -0.1}))
    assert raced is not None
    assert (raced["winner"], raced["runner_up"]) == ("o2-thin", "o2-pgo")
    assert "o2-pgo" in raced["dropped"]


def test_two_variants_are_no_race() -> None:
    samples, raced = timed(FakeBench(chosen(), {"o2": 0.0, "o3": -0.1}))
    assert raced is None and {s.variant for s in samples} == {"o2", COPY, "o3"}


def test_a_race_keeps_to_its_budget() -> None:
    samples, raced = timed(FakeBench(chosen(precision=1e-5), TRUTH, noise=0.1), budget_s=50.0)
    assert raced is not None
    assert raced["confirmed_from"] == 50 * runner.RACE_SHARE
    assert max(s.block for s in samples) == 49


def test_the_figures_of_winner_and_runner_up_come_from_the_last_blocks_alone(
    tmp_path: Path
) -> None:
    samples, raced = timed(FakeBench(chosen(), TRUTH))
    assert raced is not None
    before = [
        replace(s, wall_s=s.wall_s / 2)
        if s.variant in ("o2-thin", "o2-pgo") and s.block < raced["confirmed_from"] else s
        for s in samples
    ]
    found = summary_of(run_of(tmp_path / "run", before, raced))["apps"]["app"]
    for variant, ln_s in TRUTH.items():
        result = found["variants"][variant]
        assert result["speedup"] == pytest.approx(np.exp(-ln_s), rel=0.005)
        assert result.get("dropped_at") == (12 if variant in ("o3", "os") else None)
        workload = result["workloads"]["two"]
        assert workload["median_s"] == pytest.approx(0.04 * np.exp(ln_s), rel=0.005)
    assert found["variants"]["os"]["verdict"] == "slower"
    assert found["race"] == raced


def test_a_dropped_variants_interval_has_the_level_of_the_race(tmp_path: Path) -> None:
    samples, raced = timed(FakeBench(chosen(), TRUTH))
    found = summary_of(run_of(tmp_path / "run", samples, raced))["apps"]["app"]["variants"]["os"]
    estimate = judge.blocks_of(samples, "app", 1, 12).estimate("os", "o2")
    wanted = estimate.speedup_interval(stats.race_level(1, 4))
    assert found["interval"] == pytest.approx(list(wanted), abs=2e-6)


def test_a_race_on_a_machine_that_is_too_noisy_has_no_figures(tmp_path: Path) -> None:
    samples, raced = timed(FakeBench(chosen(), TRUTH))
    noisy = summary_of(run_of(tmp_path / "run", samples[: 5 * 14], {"dropped": {}}))
    assert noisy["apps"]["app"]["noisy"] is True and noisy["geomean"] == {}


def test_a_raced_run_that_lacks_a_timing_is_refused(tmp_path: Path) -> None:
    samples, raced = timed(FakeBench(chosen(), TRUTH))
    assert raced is not None
    at = next(i for i, s in enumerate(samples)
              if s.block == raced["confirmed_from"] and s.variant == "o2-pgo")  # fmt: skip
    run = run_of(tmp_path / "run", samples[:at] + samples[at + 1:], raced)
    with pytest.raises(Failure, match=f"block {raced['confirmed_from']} of app"):
        analyse.main([str(run)])


def test_the_report_says_what_was_dropped_and_what_to_choose(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of(tmp_path / "run", *timed(FakeBench(chosen(), TRUTH)))
    found = summary_of(run)["apps"]["app"]["recommendation"]
    assert report.main([str(run)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines if not line.startswith("report: ")) <= 80
    assert sum("dropped at 12" in line for line in lines) == 2
    assert f"fastest: {found['fastest']}" in lines
    assert f"cheapest within noise of it: {found['cheapest']}" in lines


# -- what is recommended

def result(speedup: float, build: float, text: int, verdict: str = "faster") -> dict[str, Any]:
    costs = BINARY | {"build_cpu_s": build, "text_bytes": text}
    return {"speedup": speedup, "verdict": verdict, "costs": costs}


def test_the_pareto_set_has_what_nothing_beats_in_all_three() -> None:
    results = {
        "fast": result(1.3, 9, 90), "faster-built": result(1.2, 5, 90), "small": result(1.0, 9, 10),
        "worse-in-all": result(1.1, 6, 95), "as-fast-and-larger": result(1.3, 9, 91),
        "twin": result(1.3, 9, 90),
    }  # fmt: skip
    assert [p["variant"] for p in recommend.pareto(results)] == [
        "fast", "twin", "faster-built", "small"
    ]  # fmt: skip


@pytest.mark.parametrize("truth, fastest, within", [
    ({"o2-pgo": -0.25}, "o2-thin", ["o2-thin"]),
    ({"o2-pgo": -0.3}, None, ["o2-thin", "o2-pgo"]),
    ({v: 0.0 for v in TRUTH}, None, None),
    ({"o2-thin": 0.1, "o2-pgo": 0.12, "o3": 0.3}, "o2", ["o2"]),
])  # fmt: skip
def test_the_cheapest_is_looked_for_among_those_that_are_not_known_to_be_slower(
    tmp_path: Path, truth: dict[str, float], fastest: str | None, within: list[str] | None
) -> None:
    run = run_of(tmp_path / "run", *timed(FakeBench(chosen(), TRUTH | truth)))
    app = summary_of(run)["apps"]["app"]
    found = app["recommendation"]
    assert fastest in (None, found["fastest"])
    assert set(found["within_noise"]) == set(within or found["within_noise"])
    assert {found["fastest"], found["cheapest"]} <= set(found["within_noise"])
    costs = {v: recommend.build_s(app["variants"][v]["costs"]) for v in found["within_noise"]}
    assert costs[found["cheapest"]] == min(costs.values())
    if within is None:
        assert "o2" in found["within_noise"]


def test_training_is_part_of_what_a_variant_costs_to_build() -> None:
    trained = BINARY | {"train_build_cpu_s": 3.0, "train_wall_s": 0.75}
    assert recommend.build_s(trained) == 5.75


# -- going on

def rows(samples: list[Sample]) -> list[tuple[Any, ...]]:
    return [(s.variant, s.workload, s.block, s.position, s.layout, round(s.wall_s, 7))
            for s in samples]  # fmt: skip


@pytest.mark.parametrize("raced", [True, False])
@pytest.mark.parametrize("kill_at", [0, 1, 2, 13, 20, 30])
def test_an_interrupted_run_goes_on_as_if_it_had_not_been(
    tmp_path: Path, raced: bool, kill_at: int
) -> None:
    settings = chosen(race=raced, precision=0.0012)
    whole = timed(FakeBench(settings, TRUTH), budget_s=40.0)
    killed = FakeBench(settings, TRUTH)
    killed.kill_at = kill_at
    journal = Journal(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        timed(killed, journal, 40.0)
    journal.close()
    again = FakeBench(settings, TRUTH)
    journal = Journal(tmp_path)
    assert journal.blocks("app") == kill_at
    resumed = timed(again, journal, 40.0)
    journal.close()
    assert again.timed == len({s.block for s in whole[0]}) - kill_at
    assert (rows(resumed[0]), resumed[1]) == (rows(whole[0]), whole[1])
    assert rows(record.read_rows(tmp_path / "samples.csv", Sample)) == rows(whole[0])


@pytest.mark.parametrize("cut", [1, 5, 60, 300, 700])
def test_a_block_that_is_torn_is_timed_again_and_no_other(tmp_path: Path, cut: int) -> None:
    settings = chosen(race=False)
    killed = FakeBench(settings, TRUTH)
    killed.kill_at = 5
    journal = Journal(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        timed(killed, journal, 20.0)
    journal.close()
    path = tmp_path / "samples.csv"
    path.write_bytes(path.read_bytes()[:-cut])
    again = FakeBench(settings, TRUTH)
    journal = Journal(tmp_path)
    samples, _ = timed(again, journal, 20.0)
    journal.close()
    assert again.timed == len({s.block for s in samples}) - 4
    assert rows(record.read_rows(path, Sample)) == rows(samples)
    metrics = record.read_rows(tmp_path / "metrics.csv", record.Metric)
    assert [m.block for m in metrics] == sorted({s.block for s in samples})


def test_spans_of_a_run_without_a_race_are_all_blocks() -> None:
    app: dict[str, Any] = {"variants": {"o2": {}, "o3": {}}}
    assert race.span(app, "o3") == (1, None)
    assert race.timed(app, 3) == {"o2", "o3"}
