"""What calibration makes of its sessions, and the other ways of looking at a machine."""

import json
import math
import os
from pathlib import Path
from typing import Any

import calibrate
import pytest
from conftest import Project
from pgolab import errors, floor, instructions, machine, noise
from pgolab.hyperfine import Hyperfine
from pgolab.record import COPY


def session(**ln_ratios: float) -> dict[str, Any]:
    """A session in which each arm came out as given, ±0.5 %, or as no difference."""
    arms = {}
    for arm in (*calibrate.IDENTICAL, *calibrate.SLOWER):
        mean = ln_ratios.get(arm.split("-")[-1], 0.0)
        differs = (mean > 0.005) - (mean < -0.005)
        arms[arm] = {"ln_ratio": mean, "se": 0.0025, "n": 16, "differs": differs}
    return {"noisy": False, "blocks": 16, "dropped": 0, "wall_s": 4.25, "arms": arms}


def test_false_positives_are_counted_per_kind_and_together() -> None:
    sessions = [session(rebuilt=0.01)] + [session() for _ in range(19)]
    result = calibrate.result_of(sessions)
    assert result["false_positives"][calibrate.REBUILT]["rate"] == 0.05
    assert result["false_positives"][COPY]["hits"] == 0
    assert result["false_positives"]["all"] == {
        "hits": 1, "trials": 60, "rate": 0.0167, "interval": [0.0004, 0.0894],
    }  # fmt: skip


def test_slowdowns_count_only_in_the_right_direction() -> None:
    sessions = [session(slower1=0.01, slower2=-0.02, slower5=0.05) for _ in range(5)]
    result = calibrate.result_of(sessions)
    assert [result["found"][arm]["hits"] for arm in calibrate.SLOWER] == [5, 0, 5]
    assert list(result["wrong_direction"].values()) == [0, 5, 0]
    assert result["slowdown_seen"]["o2-slower5"] == round(math.expm1(0.05), 5)


def test_noisy_sessions_do_not_count() -> None:
    result = calibrate.result_of([session() for _ in range(5)] + [{"noisy": True}])
    assert (result["sessions"], result["noisy_sessions"]) == (5, 1)


def test_the_floor_is_what_identical_programs_may_differ_by() -> None:
    sessions = [session(rebuilt=0.002 + 0.0001 * (-1) ** i) for i in range(10)]
    assert 0.002 < calibrate.result_of(sessions)["aa_floor"] < 0.0022


def test_the_floor_counts_only_on_the_machine_it_is_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(floor, "PATH", tmp_path / "calibration.json")
    assert floor.known() is None
    saved: dict[str, Any] = {"machine": machine.facts(), "aa_floor": 0.004}
    floor.PATH.write_text(json.dumps(saved))
    assert floor.known() == 0.004
    saved["machine"]["kernel"] = "another"
    floor.PATH.write_text(json.dumps(saved))
    assert floor.known() is None


@pytest.mark.alone
def test_calibrating_ends_with_a_result_or_says_that_the_machine_is_too_noisy(
    project: Project,
) -> None:
    done = project.make("calibrate", "BUDGET=10s", "LAYOUTS=2", "PRECISION=20%")
    if done.returncode:
        assert "this machine is too noisy" in done.stderr
        assert not (project.root / "results/calibration.json").exists()
    else:
        result = json.loads((project.root / "results/calibration.json").read_text())
        assert result["sessions"] >= calibrate.FEWEST_SESSIONS
        assert all(each["noisy"] or each["blocks"] >= 2 for each in result["each"])
        assert "A/A floor" in done.stdout


def test_the_injected_slowdown_is_more_of_the_same_work(project: Project) -> None:
    """Counted in instructions: 1, 2 and 5 percent more."""
    done = project.make("calibrate", "BUDGET=1s", "LAYOUTS=1", "PRECISION=50%")
    assert "hint" in done.stderr or done.returncode == 0
    counts = {}
    for variant in ("o2", *calibrate.SLOWER):
        binary = project.root / "build/calibration" / variant / "calibration"
        counts[variant] = instructions.count([str(binary), "20"], project.root, variant)
    start = instructions.count(["true"], project.root, "true")
    for variant, slowdown in calibrate.SLOWER.items():
        ratio = (counts[variant] - start) / (counts["o2"] - start)
        assert ratio == pytest.approx(1 + slowdown, abs=0.002)


def test_counting_instructions_twice_gives_the_same_count(tmp_path: Path) -> None:
    first, second = (instructions.count(["expr", "1"], tmp_path, "expr") for _ in range(2))
    assert first == pytest.approx(second, rel=1e-3)
    assert first > 10_000


def test_a_program_that_fails_cannot_be_counted(tmp_path: Path) -> None:
    with pytest.raises(errors.Failure, match="instructions of x cannot be counted"):
        instructions.count(["false"], tmp_path, "x")


def test_perf_counts_where_it_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    perf = tmp_path / "perf"
    perf.write_text('#!/bin/sh\necho "1234;;instructions:u;100;100.00;;" >&2\n')
    perf.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    instructions.method.cache_clear()
    assert instructions.count(["true"], tmp_path, "true") == 1234
    monkeypatch.undo()
    instructions.method.cache_clear()


def test_noise_is_measured_on_pairs() -> None:
    found = noise.measure(0.0)
    assert found.pair_sd > 0
    assert found.seconds_for(0.02) == pytest.approx(found.seconds_for(0.01) / 4)


def test_a_timed_process_has_its_time_and_peak_memory(tmp_path: Path) -> None:
    hungry = ["/usr/bin/python3", "-c", "b = bytearray(100_000_000); [i for i in range(300_000)]"]
    small, large = Hyperfine(tmp_path).once([["true"], hungry])
    assert large.max_rss_bytes > 100_000_000 > 10_000_000 > small.max_rss_bytes
    assert large.wall_s > small.wall_s
    assert large.user_s > 0


def test_pinned_runs_stay_on_their_cpu(tmp_path: Path) -> None:
    cpu = sorted(os.sched_getaffinity(0))[-1]
    script = "import os, sys; sys.exit(os.sched_getaffinity(0) != {%d})" % cpu
    timings = Hyperfine(tmp_path, cpu).once([["/usr/bin/python3", "-c", script]])
    assert len(timings) == 1


def test_without_aslr_a_program_always_lies_at_the_same_address(tmp_path: Path) -> None:
    script = "head -n 1 /proc/self/maps >> addresses"
    Hyperfine(tmp_path, aslr=False).once([["sh", "-c", script]] * 3)
    assert len(set((tmp_path / "addresses").read_text().splitlines())) == 1
