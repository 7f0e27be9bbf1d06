"""Statistics against arithmetic done by hand, against scipy, and their symmetries."""

import math

from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays

from pgolab import stats
from pgolab.stats import Estimate

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

samples = st.integers(2, 40).flatmap(
    lambda n: arrays(float, n, elements=st.floats(-1, 1, allow_subnormal=False)))


def alternating(values: Any) -> Any:
    """The values in an order without positive autocorrelation: lowest, highest, and so on in."""
    ordered = np.sort(values)
    return np.stack([ordered, ordered[::-1]], axis=1).ravel()[:len(ordered)]


# -- differences

def test_each_run_is_compared_with_each_baseline_run_of_its_block() -> None:
    d = stats.log_ratios([2.0, 3.0], [[1.0, 4.0], [3.0, 1.5]])
    assert d == pytest.approx(np.log(np.array([[2, 0.5], [1, 2]])))


def test_workloads_are_averaged_within_their_block() -> None:
    d = stats.log_ratios([[2.0, 8.0]], [[[1.0, 1.0]]])
    # ln 2 and ln 8 = 3 ln 2: the mean is 2 ln 2
    assert stats.over_workloads(d) == pytest.approx(np.array([[2 * math.log(2)]]))


@pytest.mark.parametrize("variant, baseline", [
    ([1.0, 2.0], [1.0, 2.0]),
    ([1.0, 2.0], [[1.0], [2.0], [3.0]]),
    ([[1.0, 1.0]], [[[1.0]]]),
    ([0.0, 1.0], [[1.0], [1.0]]),
    ([1.0, 1.0], [[1.0], [math.nan]]),
    ([1.0, 1.0], [[1.0], [-1.0]]),
])
def test_times_that_do_not_fit_or_are_not_times_are_refused(variant: Any, baseline: Any) -> None:
    with pytest.raises(ValueError):
        stats.log_ratios(variant, baseline)


# -- one estimate

def test_the_trimmed_mean_of_one_to_ten() -> None:
    e = stats.estimate(alternating(np.arange(1.0, 11)))
    # g = 2, h = 6: (3 + ... + 8) / 6 = 5.5
    # winsorized 3 3 3 4 5 6 7 8 8 8: squares 6 * 2.5^2 + 2 * 1.5^2 + 2 * 0.5^2 = 42.5
    # se^2 = 42.5 / (h (h - 1)) = 42.5 / 30, df = n - 2g - 1 = 5
    assert (e.mean, e.se, e.df, e.n) == pytest.approx((5.5, math.sqrt(42.5 / 30), 5, 10))


def test_layouts_are_the_units_where_they_differ() -> None:
    e = stats.estimate([1.0, 5.0, 2.0, 6.0], layouts=[0, 1, 0, 1])
    # nothing trimmed: 3.5; deviations -2.5 1.5 -1.5 2.5; layouts sum to -4 and 4, over h: -1 and 1
    # se^2 = 2 / (2 - 1) * (1 + 1) = 4 (as blocks: 4 / 3 * 17 / 16 = 1.42), df = 1
    assert (e.mean, e.se, e.df, e.n) == pytest.approx((3.5, 2, 1, 2))


def test_blocks_are_the_units_where_layouts_differ_less_than_blocks_would_make_them() -> None:
    d, layouts = [1.0, 6.0, 5.0, 2.0], [0, 1, 1, 0]
    assert stats.estimate(d, [0, 1, 0, 1]).se == stats.estimate(d).se
    assert stats.estimate(d, [0, 1, 0, 1]).df == 3
    assert stats.estimate(d, layouts).se > stats.estimate(d).se


@pytest.mark.parametrize("layouts", [None, [7] * 8, range(8)])
def test_a_single_layout_and_layouts_of_one_block_leave_the_block_as_unit(layouts: Any) -> None:
    d = np.array([0.1, -0.2, 0.4, 0.3, -0.5, 0.2, 0.0, 0.1])
    assert stats.estimate(d, layouts) == stats.estimate(d)
    assert stats.estimate(d, layouts).n == 8


def test_several_baseline_runs_of_a_block_are_one_unit() -> None:
    e = stats.estimate([[1.0, 3.0], [5.0, 7.0]])
    # mean 4; deviations -3 -1 1 3, per block -4 and 4, over h = 4: -1 and 1; se^2 = 2 / 1 * 2
    assert (e.mean, e.se, e.df) == pytest.approx((4, 2, 1))


def test_autocorrelation_widens_the_error() -> None:
    e = stats.estimate([-1.0, -1.0, 1.0, 1.0] * 3)
    # 11 products of neighbours: 6 - 5 = 1; r = 1/12 + (1 + 4/12) / 12 = 7/36
    # (1 + r) / (1 - r) = 43/29; g = 2, h = 8: se^2 = 12 / (8 * 7) * 43/29, df = 7 * 29/43
    assert e.se ** 2 == pytest.approx(12 / 56 * 43 / 29)
    assert e.df == pytest.approx(7 * 29 / 43)


def test_equal_samples_have_no_error() -> None:
    e = stats.estimate([0.25] * 12)
    assert (e.mean, e.se, e.df) == (0.25, 0.0, 7)
    assert e.interval() == (0.25, 0.25)


def test_a_wild_value_in_five_moves_nothing_far() -> None:
    d = alternating(np.linspace(-0.01, 0.01, 20))
    spoilt = np.where(np.arange(20) == 3, 100.0, d)
    assert abs(stats.estimate(spoilt).mean) < 0.002
    assert stats.estimate(spoilt).se < 2 * stats.estimate(d).se


@pytest.mark.parametrize("d, layouts", [
    ([], None), ([0.1], None), ([0.1, math.inf], None), ([0.1, math.nan], None),
    ([[[0.1]], [[0.2]]], None), ([0.1, 0.2], [1, 2, 3]), (np.zeros((4, 0)), None),
])
def test_samples_that_allow_no_estimate_are_refused(d: Any, layouts: Any) -> None:
    with pytest.raises(ValueError):
        stats.estimate(d, layouts)


@given(samples)
def test_the_mean_and_the_error_are_those_of_scipy(d: Any) -> None:
    d = alternating(d)
    e, n, cut = stats.estimate(d), len(d), int(0.2 * len(d))
    winsorized = scipy.stats.mstats.winsorize(d, (cut / n, cut / n)) if cut else d
    h = n - 2 * cut
    assert e.mean == pytest.approx(scipy.stats.trim_mean(d, 0.2), abs=1e-12)
    assert e.df <= h - 1
    yuen = math.sqrt((n - 1) * np.var(winsorized, ddof=1) / (h * (h - 1)))
    # Tiny samples can be positively autocorrelated in any order.
    assert e.se == pytest.approx(yuen * math.sqrt((h - 1) / e.df), rel=1e-6, abs=1e-9)


def test_two_estimates_make_the_trimmed_t_test_of_scipy() -> None:
    rng = np.random.default_rng(1)
    a, b = alternating(rng.standard_t(3, 23)), alternating(rng.normal(0.4, 2, 31))
    x, y = stats.estimate(a), stats.estimate(b)
    variance = x.se ** 2 + y.se ** 2
    expected = scipy.stats.ttest_ind(a, b, equal_var=False, trim=0.2)
    df = variance ** 2 / (x.se ** 4 / x.df + y.se ** 4 / y.df)
    t = (x.mean - y.mean) / math.sqrt(variance)
    assert t == pytest.approx(expected.statistic)
    assert 2 * scipy.stats.t.sf(abs(t), df) == pytest.approx(expected.pvalue)


def test_the_standard_error_is_near_the_one_of_scipy() -> None:
    d = alternating(np.random.default_rng(2).normal(size=60))
    # scipy has n (n - 1) (1 - 2 * 0.2)^2 = 36 * 59 * 60 / 60 where Yuen has h (h - 1) = 36 * 35
    se = scipy.stats.mstats.trimmed_stde(np.ma.array(d), (0.2, 0.2))
    assert stats.estimate(d).se == pytest.approx(se * math.sqrt(36 * 59 / (35 * 60)))


@given(samples, st.floats(-5, 5))
def test_a_shift_moves_the_mean_alone(d: Any, shift: Any) -> None:
    a, b = stats.estimate(d), stats.estimate(d + shift)
    assert b.mean == pytest.approx(a.mean + shift, abs=1e-9)
    assert b.se == pytest.approx(a.se, rel=1e-3, abs=1e-7)


@given(samples, st.integers(1, 6))
def test_exchanging_variant_and_baseline_changes_the_sign_alone(d: Any, layouts: Any) -> None:
    ids = np.arange(len(d)) % layouts
    a, b = stats.estimate(d, ids), stats.estimate(-d, ids)
    assert (b.mean, b.se) == pytest.approx((-a.mean, a.se), rel=1e-6, abs=1e-12)


@given(samples, st.integers(1, 6))
def test_layouts_never_narrow_an_error(d: Any, layouts: Any) -> None:
    ids = np.arange(len(d)) % layouts
    assert stats.estimate(d, ids).se >= stats.estimate(d).se * (1 - 1e-9)


def test_the_names_of_layouts_do_not_matter() -> None:
    d = np.random.default_rng(3).normal(size=20)
    ids = np.arange(20) % 7
    assert stats.estimate(d, ids) == stats.estimate(d, 100 - 3 * ids)


# -- intervals

def test_half_widths_are_student_quantiles() -> None:
    e = Estimate(mean=-0.1, se=0.02, df=9, n=10)
    assert e.half_width(0.05) == pytest.approx(0.02 * scipy.stats.t.ppf(0.975, 9))
    assert e.half_width() == e.half_width(0.04)
    assert e.interval(0.05) == pytest.approx((-0.1 - 2.262157 * 0.02, -0.1 + 2.262157 * 0.02))


def test_speedups_are_above_one_where_the_variant_takes_less_time() -> None:
    e = Estimate(mean=-math.log(1.25), se=0.01, df=20, n=21)
    low, high = e.speedup_interval()
    assert e.speedup() == pytest.approx(1.25)
    assert 1.2 < low < 1.25 < high < 1.3
    assert (math.log(low), math.log(high)) == pytest.approx(tuple(-x for x in e.interval()[::-1]))


# -- several apps

def test_apps_are_averaged_as_independent() -> None:
    a = Estimate(0.1, 0.03, 4, 5, np.array([0.01, -0.01]))
    b = Estimate(0.3, 0.04, 9, 10, np.array([0.02]))
    e = stats.over_apps([a, b])
    # se = sqrt(0.015^2 + 0.02^2) = 0.025
    # df = 0.025^4 / (0.015^4 / 4 + 0.02^4 / 9) = 390.625 / (12.65625 + 17.7778) = 12.835
    assert (e.mean, e.se, e.n) == pytest.approx((0.2, 0.025, 15))
    assert e.df == pytest.approx(12.835, abs=0.001)
    assert e.influence == pytest.approx([0.005, -0.005, 0.01])


def test_one_app_is_its_own_mean() -> None:
    e = stats.estimate([0.1, 0.4, 0.2, 0.3])
    assert stats.over_apps([e]) == e


def test_apps_without_error_have_a_mean_without_error() -> None:
    e = stats.over_apps([Estimate(0.1, 0.0, 3, 4), Estimate(0.3, 0.0, 5, 6)])
    assert (e.mean, e.se, e.df) == pytest.approx((0.2, 0.0, 3))


def test_no_apps_have_no_mean() -> None:
    with pytest.raises(ValueError):
        stats.over_apps([])


# -- families

def family(*influences: Any) -> Any:
    return [Estimate(0.0, 0.01, 9, 10, np.asarray(i, float)) for i in influences]


def test_a_family_of_one_keeps_its_level() -> None:
    assert stats.family_alpha(family([1, -1, 0])) == pytest.approx(0.04, rel=0.01)


def test_copies_of_one_variant_are_one_variant() -> None:
    assert stats.family_alpha(family(*[[1, 2, -3]] * 5)) == pytest.approx(0.04, rel=0.01)


def test_independent_variants_share_the_level_as_sidak_has_it() -> None:
    level = stats.family_alpha(family(*np.eye(8)))
    assert level == pytest.approx(1 - 0.96 ** (1 / 8), rel=0.05)


@pytest.mark.parametrize("r", [0.3, 0.5, 0.9])
def test_correlated_variants_share_it_as_the_bivariate_normal_has_it(r: Any) -> None:
    level = stats.family_alpha(family([1, 0], [r, math.sqrt(1 - r * r)]), alpha=0.1)
    c = scipy.stats.norm.isf(level / 2)
    both = scipy.stats.multivariate_normal(cov=[[1, r], [r, 1]]).cdf
    inside = both([c, c]) - 2 * both([c, -c]) + both([-c, -c])
    assert 1 - inside == pytest.approx(0.1, abs=0.006)


@given(st.integers(1, 10), st.integers(2, 40), st.integers(0, 9))
def test_the_level_lies_between_sidak_and_the_plain_one(k: Any, units: Any, seed: Any) -> None:
    influences = np.random.default_rng(seed).normal(size=(k, units))
    level = stats.family_alpha(family(*influences), seed=seed)
    assert 1 - 0.96 ** (1 / k) - 1e-12 <= level <= 0.04
    assert level == stats.family_alpha(family(*influences), seed=seed)


@pytest.mark.parametrize("influence", [[1, -1, 0], [0, 0, 0]])
def test_a_variant_without_error_does_not_disturb_its_family(influence: Any) -> None:
    assert stats.family_alpha(family(influence, [0, 0, 0])) == pytest.approx(0.04, rel=0.01)


@pytest.mark.parametrize("estimates", [[], family([1, 2], [1, 2, 3])])
def test_a_family_without_common_units_is_refused(estimates: Any) -> None:
    with pytest.raises(ValueError):
        stats.family_alpha(estimates)


# -- stopping, verdict

def test_looks_are_at_twelve_blocks_and_each_four_after() -> None:
    assert [stats.next_look(n) for n in (0, 5, 11, 12, 13, 15, 16, 19)] == [
        12, 12, 12, 16, 16, 16, 20, 20]


def test_a_run_is_precise_enough_when_its_widest_simultaneous_interval_is() -> None:
    narrow, wide = (Estimate(0.5, se, 9, 10, np.array([se, -se, x]))
                    for se, x in ((0.001, 0.0), (0.004, 0.004)))
    target = wide.half_width(stats.family_alpha([narrow, wide]))
    assert stats.precise_enough([narrow, wide], target * 1.0001)
    assert not stats.precise_enough([narrow, wide], target * 0.9999)
    assert target > wide.half_width()


@pytest.mark.parametrize("mean, interval, interval90, expected", [
    (-0.02, (-0.03, -0.01), (-0.029, -0.011), "faster"),
    (+0.02, (+0.01, +0.03), (+0.011, +0.029), "slower"),
    (-0.02, (-0.05, +0.01), (-0.04, 0.0), "inconclusive"),
    (-0.02, (-0.04, 0.0), (-0.035, -0.005), "inconclusive"),      # 0 is not excluded
    (-0.005, (-0.006, -0.004), (-0.006, -0.004), "faster"),       # delta itself is enough
    (-0.004, (-0.006, -0.002), (-0.0055, -0.0025), "inconclusive"),
    (-0.003, (-0.0045, -0.0015), (-0.004, -0.002), "same"),       # an effect, too small to matter
    (0.0, (-0.006, 0.006), (-0.005, 0.005), "same"),
    (0.0, (-0.006, 0.006), (-0.0051, 0.005), "inconclusive"),
])
def test_verdicts_with_a_delta_of_half_a_per_cent(
    mean: float, interval: Any, interval90: Any, expected: str
) -> None:
    assert stats.verdict(mean, interval, interval90, 0.005) == expected


@pytest.mark.parametrize("delta", [0.0, -0.01, math.nan])
def test_a_verdict_needs_a_least_effect(delta: Any) -> None:
    with pytest.raises(ValueError):
        stats.verdict(0.0, (0.0, 0.0), (0.0, 0.0), delta)


# -- spread of layouts, power, rates

def test_the_spread_of_two_layouts() -> None:
    spread = stats.layout_spread([1.0, 5.0, 2.0, 6.0], [0, 1, 0, 1])
    # layout means 1.5 and 5.5: MSB = 2 * 2^2 + 2 * 2^2 = 16; MSW = 4 * 0.5^2 / 2 = 0.5; n0 = 2
    assert spread.sd == pytest.approx(math.sqrt((16 - 0.5) / 2))
    low, high = (math.sqrt((16 / scipy.stats.f.ppf(p, 1, 2) - 0.5) / 2) if p < 0.5 else 0.0
                 for p in (0.975, 0.025))
    assert (spread.low, spread.high) == pytest.approx((low, high))


def test_layouts_that_differ_less_than_their_blocks_have_no_spread() -> None:
    assert stats.layout_spread([1.0, 1.1, 5.0, 4.9], [0, 1, 0, 1]).sd == 0


@pytest.mark.parametrize("layouts", [[0, 0, 0], [0, 1, 2], [0, 1]])
def test_a_spread_needs_two_layouts_and_two_blocks_of_one(layouts: Any) -> None:
    with pytest.raises(ValueError):
        stats.layout_spread([0.1, 0.3, 0.2], layouts)


def test_many_units_are_needed_as_the_normal_approximation_has_it() -> None:
    # (1.959964 + 0.841621)^2 = 7.8489; sd / delta = 10
    assert stats.units_needed(0.05, 0.005, alpha=0.05) == pytest.approx(784.9, rel=0.005)


@given(st.floats(0.001, 0.2), st.floats(0.002, 0.1))
def test_the_units_needed_are_the_fewest_that_do(sd: Any, delta: Any) -> None:
    n = stats.units_needed(sd, delta)
    assert stats.smallest_effect(sd, n) <= delta
    assert n == 2 or stats.smallest_effect(sd, n - 1) > delta


def test_the_smallest_effect_has_its_power_by_the_noncentral_t() -> None:
    n = 20
    shift = stats.smallest_effect(1.0, n, alpha=0.05) * math.sqrt(n)
    power = scipy.stats.nct.sf(scipy.stats.t.ppf(0.975, n - 1), n - 1, shift)
    assert power == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("sd, delta", [(0.1, 0.0), (0.1, -1.0), (-0.1, 0.1), (math.nan, 0.1)])
def test_power_of_impossible_figures_is_refused(sd: Any, delta: Any) -> None:
    with pytest.raises(ValueError):
        stats.units_needed(sd, delta)


def test_the_smallest_effect_of_one_unit_is_refused() -> None:
    with pytest.raises(ValueError):
        stats.smallest_effect(0.1, 1)


@pytest.mark.parametrize("hits, trials", [(0, 20), (1, 20), (7, 100), (20, 20)])
def test_rates_have_the_exact_interval_of_scipy(hits: Any, trials: Any) -> None:
    expected = scipy.stats.binomtest(hits, trials).proportion_ci(method="exact")
    assert stats.binomial_interval(hits, trials) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("hits, trials", [(-1, 5), (6, 5), (0, 0)])
def test_what_is_not_a_rate_is_refused(hits: Any, trials: Any) -> None:
    with pytest.raises(ValueError):
        stats.binomial_interval(hits, trials)
