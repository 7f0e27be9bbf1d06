"""The measuring rule on noise of which the truth is known: levels, powers, spreads."""

import json
import math

from typing import Any

import numpy as np
import pytest

import simulate
from pgolab import stats

BLOCKS = 120
LAYOUTS = np.arange(BLOCKS) % 16


def false_positives(
    noise: Any,
    layout_sd: float | None,
    replications: int,
    variants: int = 1,
    layouts: Any = LAYOUTS,
    target: float = 0.012,
) -> Any:
    """The share of simulated runs in which any interval excludes 0, nothing being different."""
    rng = np.random.default_rng(20)
    d = simulate.differences(rng, noise, variants, replications, BLOCKS, layout_sd, 16)
    mean, half, level, used = simulate.measure(d, layouts, target)
    return (abs(mean) > half).any(axis=0).mean()


REALISTIC = [name for name in simulate.NOISES if name != "persistent"]


# 4000 replications have a standard error of 0.35 %: rules off by 1.5 % fall outside.
@pytest.mark.parametrize("name", REALISTIC)
def test_three_to_six_and_a_half_per_cent_of_stopped_runs_cry_wolf(name: Any) -> None:
    assert 0.03 <= false_positives(simulate.NOISES[name], None, 4000, layouts=None) <= 0.065


@pytest.mark.parametrize("name", REALISTIC)
def test_three_to_six_and_a_half_per_cent_cry_wolf_over_16_layouts(name: Any) -> None:
    assert 0.03 <= false_positives(simulate.NOISES[name], 0.005, 4000) <= 0.065


@pytest.mark.parametrize("layout_sd", [0, 0.014])
def test_the_level_holds_without_layout_effects_and_with_large_ones(layout_sd: Any) -> None:
    assert 0.03 <= false_positives(simulate.gaussian, layout_sd, 4000) <= 0.065


@pytest.mark.parametrize("blocks", [16, 20, 24, 28, 31, 32, 33, 48])
def test_intervals_cover_while_layouts_have_had_unequal_numbers_of_blocks(blocks: Any) -> None:
    rng = np.random.default_rng(blocks)
    d = simulate.differences(rng, simulate.gaussian, 1, 4000, blocks, 0.014, 16)[:, :, 0]
    mean, se, df, _ = stats.trimmed_mean(d, np.arange(blocks) % 16)
    covered = (abs(mean) <= stats.stdtrit(df, 0.975) * se).mean()
    assert 0.935 <= covered <= 0.975


def test_layouts_that_are_not_told_of_make_false_positives() -> None:
    assert false_positives(simulate.gaussian, 0.014, 1000, layouts=None, target=0.008) > 0.12


def test_persistent_noise_makes_few_more_false_positives() -> None:
    # 14 % without the correction for autocorrelation
    assert false_positives(simulate.persistent, None, 4000, layouts=None, target=0.01) < 0.085


@pytest.mark.parametrize("variants, layout_sd, layouts", [(8, None, None), (3, 0.005, LAYOUTS)])
def test_all_intervals_of_a_family_hold_together(
    variants: int, layout_sd: Any, layouts: Any
) -> None:
    rate = false_positives(simulate.gaussian, layout_sd, 500, variants, layouts)
    assert 0.015 <= rate <= 0.065


def test_intervals_that_ignore_the_family_do_not_hold_together(monkeypatch: Any) -> None:
    monkeypatch.setattr(stats, "family_alpha", lambda estimates: stats.ALPHA)
    assert false_positives(simulate.gaussian, None, 500, variants=8, layouts=None) > 0.12


def test_a_mean_of_baseline_runs_is_biased_by_spikes_and_pairs_are_not() -> None:
    rng = np.random.default_rng(4)
    times = simulate.spikes(rng, 40, 4, 4000)
    pairs = times[:, None, 0] - times[:, 1:]
    averaged = pairs.mean(axis=1, keepdims=True)
    errors = [stats.trimmed_mean(d)[0] for d in (pairs, averaged)]
    assert abs(errors[0].mean()) < 0.0005
    assert errors[1].mean() < -0.004
    assert errors[0].std() < 0.9 * errors[1].std()


def test_trimming_beats_the_mean_under_spikes_and_costs_little_without() -> None:
    rng = np.random.default_rng(5)
    ratio = {}
    for noise in (simulate.gaussian, simulate.spikes):
        d = simulate.differences(rng, noise, 1, 4000, 24, None, 16)[:, :, 0]
        ratio[noise.__name__] = stats.trimmed_mean(d)[0].std() / d.mean(axis=(0, 1)).std()
    assert ratio["gaussian"] < 1.10
    assert ratio["spikes"] < 0.5


def test_the_smallest_effect_is_found_four_times_in_five() -> None:
    rng = np.random.default_rng(6)
    for n in (8, 30):
        effect = stats.smallest_effect(1.0, n)
        x = rng.normal(effect, 1, (n, 20000))
        t = x.mean(axis=0) / x.std(axis=0, ddof=1) * math.sqrt(n)
        assert 0.77 <= (t > stats.stdtrit(n - 1, 1 - stats.ALPHA / 2)).mean() <= 0.83


@pytest.mark.parametrize("sd", [0.0, 0.014])
def test_the_spread_of_layouts_is_found_again_under_the_noise(sd: Any) -> None:
    rng = np.random.default_rng(7)
    layouts = np.arange(160) % 16
    spreads = []
    for _ in range(200):
        d = rng.normal(0, 0.02, 160) + rng.normal(0, sd, 16)[layouts]
        spreads.append(stats.layout_spread(d, layouts))
    assert np.mean([s.low <= sd <= s.high for s in spreads]) >= 0.9
    assert abs(math.sqrt(np.mean([s.sd ** 2 for s in spreads])) - sd) < 0.1 * sd + 0.004


def test_the_program_writes_its_table_as_json_too(tmp_path: Any, capsys: Any) -> None:
    out = tmp_path / "rates.json"
    assert simulate.main(["--noise", "gaussian", "--layout-sd", "0.005", "--replications", "50",
                          "--family", "3", "--family-replications", "5", "--blocks", "24",
                          "--json", str(out)]) == 0
    written = json.loads(out.read_text())
    assert [row["layout_sd"] for row in written["rows"]] == [None, 0.005]
    assert {"false_positives", "coverage_0.01", "called_0.02", "blocks",
            "family_false_positives"} <= set(written["rows"][0])
    assert written["settings"]["seed"] == 1
    assert "false_positives" in capsys.readouterr().out


def test_the_same_seed_gives_the_same_table(capsys: Any) -> None:
    small = ["--noise", "bursts", "--layout-sd", "--replications", "20", "--blocks", "16",
             "--family-replications", "3"]
    tables = []
    for _ in range(2):
        simulate.main(small)
        tables.append(capsys.readouterr().out)
    assert tables[0] == tables[1]
