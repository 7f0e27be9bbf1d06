"""The statistics of pgolab: samples in, numbers out.

Everything is in natural-log units ("ln"): a difference d = ln T_variant - ln T_baseline of 0.01
is a time 1 % longer, and exp(-d) is the speedup. Arrays have blocks along the first axis, then the
baseline runs of a block, then whatever else there is (variants, workloads).

An analysis goes through the functions in this order:

    log_ratios -> over_workloads -> estimate -> family_alpha -> Estimate.interval -> verdict
                                             -> over_apps ----^

Sources:
    Tukey & McLaughlin 1963, "Less vulnerable confidence and significance procedures", Sankhya A 25
    Yuen 1974, "The two-sample trimmed t for unequal population variances", Biometrika 61
    Liang & Zeger 1986, "Longitudinal data analysis using generalized linear models", Biometrika 73
    Marriott & Pope 1954, "Bias in the estimation of autocorrelations", Biometrika 41
    Hothorn, Bretz & Westfall 2008, "Simultaneous inference in general parametric models",
        Biometrical Journal 50
    Chernozhukov, Chetverikov & Kato 2013, "Gaussian approximations and multiplier bootstrap for
        maxima of sums of high-dimensional random vectors", Annals of Statistics 41
    Searle, Casella & McCulloch 1992, "Variance components"
    Clopper & Pearson 1934, "The use of confidence or fiducial limits", Biometrika 26
    Maron & Moore 1994, "Hoeffding races", Advances in Neural Information Processing Systems 6
    Lan & DeMets 1983, "Discrete sequential boundaries for clinical trials", Biometrika 70
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, fdtri, stdtrit

Array = NDArray[np.float64]

TRIM = 0.2          # share cut from each end: Wilcox's choice, robust to one run in ten disturbed
ALPHA = 0.04        # nominal level at each look; stopping on width turns it into about 0.05
FIRST_LOOK = 12     # blocks; earlier looks stop on standard errors that are small by luck
LOOK_EVERY = 4      # blocks
RACE_ALPHA = 0.05   # how often a whole race may lose the best variant
DRAWS = 4096        # of the largest error of a family; seeds move levels by 2 to 5 %


@dataclass(frozen=True)
class Estimate:
    """A difference in ln units with its standard error.

    mean, se: ln units; df: degrees of freedom of se; n: units (layouts or blocks) behind it.
    influence: shape (units,), what each unit adds to the error of the mean, in ln units; from it
    come the correlations between estimates that share their blocks.
    """
    mean: float
    se: float
    df: float
    n: int
    influence: Array = field(repr=False, compare=False, default_factory=lambda: np.zeros(0))

    def half_width(self, alpha: float = ALPHA) -> float:
        """Half the width of the two-sided t interval of level 1 - alpha, in ln units."""
        return float(stdtrit(self.df, 1 - alpha / 2)) * self.se

    def interval(self, alpha: float = ALPHA) -> tuple[float, float]:
        """The t interval (low, high) of level 1 - alpha, in ln units (Tukey & McLaughlin 1963)."""
        half = self.half_width(alpha)
        return self.mean - half, self.mean + half

    def speedup(self) -> float:
        """Baseline time over variant time."""
        return math.exp(-self.mean)

    def speedup_interval(self, alpha: float = ALPHA) -> tuple[float, float]:
        """The interval (low, high) of the speedup."""
        low, high = self.interval(alpha)
        return math.exp(-high), math.exp(-low)


def log_ratios(variant_s: ArrayLike, baseline_s: ArrayLike) -> Array:
    """Each run of a variant against each baseline run of its block, in ln units.

    variant_s: seconds, shape (blocks, ...); baseline_s: seconds, shape (blocks, runs, ...).
    Returns ln variant - ln baseline, shape (blocks, runs, ...).

    The baseline runs are not averaged first: a run against the mean of two is skewed where single
    runs are disturbed upwards only, and its trimmed mean then calls identical binaries different
    (by about 0.5 % with every tenth run 30 % slower). A run against a run is symmetric.

    Raises ValueError for shapes that do not fit and times that are not positive and finite.
    """
    variant, baseline = np.asarray(variant_s, float), np.asarray(baseline_s, float)
    if (variant.ndim < 1 or baseline.ndim != variant.ndim + 1
            or baseline.shape[:1] + baseline.shape[2:] != variant.shape):
        raise ValueError(f"baseline times of shape {baseline.shape} do not fit variant times of "
                         f"shape {variant.shape}")
    for times in (variant, baseline):
        if not (np.isfinite(times).all() and (times > 0).all()):
            raise ValueError("times must be positive and finite")
    return np.log(variant)[:, None] - np.log(baseline)


def over_workloads(d: ArrayLike) -> Array:
    """ln of the geometric mean over the last axis (workloads), within each block.

    Workloads share their blocks, so they are averaged before anything is estimated.
    """
    return np.asarray(d, float).mean(axis=-1)


def trimmed_mean(d: ArrayLike, layouts: ArrayLike | None = None) -> tuple[
        Array, Array, Array, Array]:
    """20 % trimmed means, with standard errors that allow for layouts and autocorrelation.

    d: ln units, shape (blocks, runs, columns), columns being variants or replications;
    layouts: the layout of each block, shape (blocks,), or None.
    Returns mean, se, df, each of shape (columns,), and influence of shape (units, columns).

    The mean is trimmed over all values of a column. Its error is that of the winsorized values
    (Tukey & McLaughlin 1963; Yuen 1974, section 2), summed within each unit before they are
    squared (Liang & Zeger 1986, section 2), for values of one unit are not independent:

        se^2 = u / (u - 1) * sum over units of influence^2,     df = u - 1,
        influence of a unit = sum over its values of (winsorized value - mean of those) / h

    h being the number of values that were not cut and u the number of units that keep at least one
    value. For one value per unit this is Yuen's formula, with u = h = n - 2g.

    The unit is the layout. It is the block while each layout has had one, where there is a single
    layout, and where that gives the larger error: the spread of layouts cannot be negative, and
    16 units alone would look precise by luck once in a while, which is when a run ends.

    Where the blocks' lag-1 autocorrelation r, corrected for its bias (Marriott & Pope 1954), is
    positive, their variance is multiplied by (1 + r) / (1 - r), as for the mean of a first-order
    autoregression, and df divided by it. No test comes first: with 12 to 40 blocks it would
    overlook an r of 0.3, which makes 5 % false positives 14 %.

    Raises ValueError for fewer than two blocks, values that are not finite, shapes that do not fit.
    """
    values = np.asarray(d, float)
    if values.ndim != 3 or 0 in values.shape[1:]:
        raise ValueError(f"differences of shape {values.shape}: (blocks, runs, columns) expected")
    blocks, runs, columns = values.shape
    if blocks < 2:
        raise ValueError(f"{blocks} block(s): at least two are needed")
    if not np.isfinite(values).all():
        raise ValueError("differences must be finite")
    flat = values.reshape(blocks * runs, columns)
    cut = int(TRIM * len(flat))
    h = len(flat) - 2 * cut
    middle = np.partition(flat, (cut, cut + h - 1), axis=0)[cut:cut + h]
    mean = middle.mean(axis=0)
    winsorized = np.clip(flat, middle[0], middle[-1])
    kept = (winsorized == flat).reshape(values.shape).any(axis=1)

    centred = (winsorized - winsorized.mean(axis=0)) / h
    influence = centred.reshape(values.shape).sum(axis=1)
    block_se2, df = _variance(influence, kept, h)
    inflation = _inflation(influence)
    se2 = block_se2
    units = _units(blocks, layouts)
    if units is not None:
        influence = _sum_by(units, influence)
        layout_se2, layout_df = _variance(influence, _sum_by(units, kept.astype(float)) > 0, h)
        df = np.where(layout_se2 > block_se2, layout_df, df)
        se2 = np.maximum(layout_se2, block_se2)
    se2 = se2 + (inflation - 1) * block_se2
    return mean, np.sqrt(se2), np.maximum(df / inflation, 1), influence


def _units(blocks: int, layouts: ArrayLike | None) -> NDArray[np.intp] | None:
    """The number of each block's layout, from 0; None where the block is the unit."""
    if layouts is None:
        return None
    if np.shape(layouts) != (blocks,):
        raise ValueError(f"layouts of shape {np.shape(layouts)} for {blocks} blocks")
    found, units = np.unique(layouts, return_inverse=True)
    return units if 1 < len(found) < blocks else None


def _sum_by(units: NDArray[np.intp], values: Array) -> Array:
    member = np.arange(units.max() + 1)[:, None] == units
    return (member.astype(float) @ values.reshape(len(units), -1)).reshape(-1, *values.shape[1:])


def _variance(influence: Array, kept: NDArray[np.bool_], h: int) -> tuple[Array, Array]:
    # h is no limit unless values tie with the last one that is kept.
    u = np.clip(kept.sum(axis=0), 2, max(h, 2))
    return (influence ** 2).sum(axis=0) * u / (u - 1), u - 1.0


def _inflation(influence: Array) -> Array:
    """(1 + r) / (1 - r) for the lag-1 autocorrelation r of the blocks, taken as 0 to 0.9."""
    blocks = len(influence)
    total = (influence ** 2).sum(axis=0)
    r = (influence[1:] * influence[:-1]).sum(axis=0) / np.where(total > 0, total, 1)
    r = r + (1 + 4 * r) / blocks
    r = np.where(total > 0, np.clip(r, 0, 0.9), 0)
    return (1 + r) / (1 - r)


def estimate(d: ArrayLike, layouts: ArrayLike | None = None) -> Estimate:
    """The difference of one variant: d in ln units, shape (blocks,) or (blocks, runs).

    layouts: the layout of each block, shape (blocks,), or None for a single one.
    The method and the errors raised are those of trimmed_mean.
    """
    values = np.asarray(d, float)
    values = values[:, None] if values.ndim == 1 else values
    mean, se, df, influence = trimmed_mean(values[..., None], layouts)
    return Estimate(float(mean[0]), float(se[0]), float(df[0]), len(influence), influence[:, 0])


def over_apps(estimates: Sequence[Estimate]) -> Estimate:
    """The mean over apps, measured independently: ln of the geometric mean of their ratios.

    Variances add; df after Welch 1947 and Satterthwaite 1946. Raises ValueError for no estimates.
    """
    if not estimates:
        raise ValueError("no estimates to average")
    share = 1 / len(estimates)
    variances = np.array([(share * e.se) ** 2 for e in estimates])
    weights = np.array([e.df for e in estimates])
    total = variances.sum()
    df = total ** 2 / (variances ** 2 / weights).sum() if total > 0 else weights.min()
    return Estimate(share * sum(e.mean for e in estimates), math.sqrt(total), float(df),
                    sum(e.n for e in estimates),
                    np.concatenate([share * e.influence for e in estimates]))


def difference(estimate: Estimate, other: Estimate) -> Estimate:
    """One estimate less another that shares no unit with it, in ln units.

    Variances add; df after Welch 1947 and Satterthwaite 1946.
    """
    minus = replace(other, mean=-other.mean, influence=-other.influence)
    half = over_apps([estimate, minus])
    return replace(half, mean=2 * half.mean, se=2 * half.se, influence=2 * half.influence)


def one_family(groups: Sequence[Sequence[Estimate]]) -> list[Estimate]:
    """The estimates of groups that share no unit as a family: each has the units of all groups.

    Within a group they share their units, as in family_alpha. Those of others do not move them.
    """
    ends = np.cumsum([0, *(len(group[0].influence) for group in groups)])
    return [
        replace(e, influence=np.pad(e.influence, (first, ends[-1] - last)))
        for group, first, last in zip(groups, ends, ends[1:])
        for e in group
    ]


def family_alpha(estimates: Sequence[Estimate], alpha: float = ALPHA, seed: int = 0) -> float:
    """The level at which each interval of a family is to be taken so that all hold together.

    estimates: of variants that share their units (one app's, or over_apps of the same apps).
    Returns a level between Sidak's 1 - (1 - alpha)^(1/k) and alpha, the same for the same seed.

    The largest of the family's standardized errors is drawn by multiplying the influence of whole
    units with Gaussians (Chernozhukov et al. 2013, section 3; equally the multivariate normal of
    Hothorn et al. 2008, section 3, with the correlations estimated). Its 1 - alpha quantile is
    translated to a level, so that each estimate keeps a t interval of its own df.
    Resampling the units and studentizing anew goes wild with 12 of them, most winsorized.

    Raises ValueError for an empty family or estimates with different units.
    """
    if len({len(e.influence) for e in estimates}) != 1:
        raise ValueError("a family needs estimates that share their units")
    k = len(estimates)
    influence = np.stack([e.influence for e in estimates], axis=1)
    norm = np.sqrt((influence ** 2).sum(axis=0))
    if not norm.any():
        return alpha
    # Units x Gaussians is, by the singular values, rank x Gaussians: fewer to draw.
    _, scale, axes = np.linalg.svd(influence / np.where(norm > 0, norm, 1), full_matrices=False)
    errors = np.abs(_gaussians(len(scale), seed) @ (scale[:, None] * axes))
    # How many single errors lie beyond the quantile depends less on the seed than the quantile.
    level = (errors[:, norm > 0] > np.quantile(errors.max(axis=1), 1 - alpha)).mean()
    return float(np.clip(level, 1 - (1 - alpha) ** (1 / k), alpha))


@lru_cache(maxsize=8)
def _gaussians(rank: int, seed: int) -> Array:
    return np.random.default_rng(seed).standard_normal((DRAWS, rank))


def next_look(blocks: int) -> int:
    """The number of blocks at which to look again, after `blocks` of them."""
    return max(FIRST_LOOK, (blocks // LOOK_EVERY + 1) * LOOK_EVERY)


def precise_enough(estimates: Sequence[Estimate], target: float) -> bool:
    """Whether each simultaneous half-width of a family is at most target (ln units).

    The rule must never see an effect: stopping on significance makes 26 % false positives of 5 %.
    """
    # A family's interval is never narrower than the plain one: most looks need no drawing.
    return (all(e.half_width() <= target for e in estimates)
            and max(e.half_width(family_alpha(estimates)) for e in estimates) <= target)


def race_level(look: int, variants: int) -> float:
    """The level of the two-sided interval between two variants at the look-th look of a race.

    look: from 1; variants: how many the race began with. At each look the best variant has
    variants - 1 rivals, any of which can seem to be ahead, and only an interval that lies on the
    wrong side loses it. RACE_ALPHA / (look (look + 1)) is spent at a look (Lan & DeMets 1983),
    shared by the rivals (Bonferroni) and doubled for the one side. So the best is lost with a
    probability of at most RACE_ALPHA in all looks together, however many there are and however
    they depend on each other.
    """
    return 2 * RACE_ALPHA / (look * (look + 1) * (variants - 1))


@dataclass(frozen=True)
class RaceLook:
    """Where a race stands: the index of the best variant; which ones are behind it for sure, shape
    (variants,); width: the widest half-width (ln units, level ALPHA) of the others against it.
    """
    best: int
    behind: NDArray[np.bool_]
    width: float


def race_look(d: ArrayLike, layouts: ArrayLike | None, look: int, variants: int) -> RaceLook:
    """Looks at the variants that are left of a race (Maron & Moore 1994).

    d: ln ratios to the baseline, shape (blocks, runs, variants that are left), at least two;
    layouts, errors raised: as for trimmed_mean; look and variants: as for race_level.

    A variant is behind when the interval of its ratio to the best lies wholly on the slow side.
    The ratio is taken within blocks: the baseline cancels with its noise, so this sees sooner what
    two intervals against the baseline that do not overlap would say.
    """
    values = np.asarray(d, float)
    best = int(trimmed_mean(values, layouts)[0].argmin())
    to_best = np.delete(values[:, :1] - values[:, :1, best:best + 1], best, axis=2)
    mean, se, df, _ = trimmed_mean(to_best, layouts)
    low = mean - stdtrit(df, 1 - race_level(look, variants) / 2) * se
    width = float((stdtrit(df, 1 - ALPHA / 2) * se).max())
    return RaceLook(best, np.insert(low > 0, best, False), width)


def verdict(mean: float, interval: tuple[float, float], interval90: tuple[float, float],
            delta: float) -> str:
    """'faster', 'slower', 'same' or 'inconclusive', of a difference in ln units.

    Faster or slower: the interval excludes 0 and the difference is at least delta. Same: the
    90 % interval (twice the alpha of the other) lies within +-delta, as in the two one-sided tests
    of Schuirmann 1987. Raises ValueError for a delta that is not positive.
    """
    if not delta > 0:
        raise ValueError(f"delta is {delta}: a positive number is needed")
    low, high = interval
    if abs(mean) >= delta and (high < 0 or low > 0):
        return "faster" if mean < 0 else "slower"
    if -delta <= interval90[0] and interval90[1] <= delta:
        return "same"
    return "inconclusive"


@dataclass(frozen=True)
class Spread:
    """Standard deviation between layouts with its interval, ln units."""
    sd: float
    low: float
    high: float


def layout_spread(d: ArrayLike, layouts: ArrayLike, alpha: float = 0.05) -> Spread:
    """The standard deviation between layouts of d, net of the noise of blocks, in ln units.

    d: ln units, shape (blocks,) or (blocks, runs); layouts: shape (blocks,). A d against a
    baseline that changes its layout too holds the spread of both: sd^2 = variant^2 + baseline^2.

    One-way analysis of variance of the winsorized values: (MSB - MSW) / n0, clipped at 0 (Searle,
    Casella & McCulloch 1992, section 3.6); the interval is that of the ratio of variances from F
    quantiles, exact for equal numbers of blocks and Gaussian noise.
    Raises ValueError unless there are two layouts and one of them has two blocks.
    """
    values = np.asarray(d, float)
    influence = estimate(values).influence
    units = _units(len(values), layouts)
    if units is None:
        raise ValueError("two layouts are needed, one of them with two blocks")
    y = influence * len(influence)
    size = np.bincount(units)
    a, n = len(size), len(y)
    means = _sum_by(units, y) / size
    within = ((y - means[units]) ** 2).sum() / (n - a)
    between = (size * (means - y.mean()) ** 2).sum() / (a - 1)
    n0 = (n - (size ** 2).sum() / n) / (a - 1)
    low, high = (between / fdtri(a - 1, n - a, p) for p in (1 - alpha / 2, alpha / 2))
    return Spread(*(math.sqrt(max(0.0, (b - within) / n0)) for b in (between, low, high)))


def smallest_effect(sd: float, n: int, power: float = 0.8, alpha: float = ALPHA) -> float:
    """The difference that n units with standard deviation sd (ln units) find with this power.

    (t_{1-alpha/2} + t_{power}) sd / sqrt(n): Student quantiles in the place of the normal ones of
    Cohen 1988, section 2.4. For 20 % trimmed means sd is se * sqrt(n) of an Estimate.
    """
    if n < 2:
        raise ValueError(f"{n} unit(s): at least two are needed")
    quantiles = stdtrit(n - 1, 1 - alpha / 2) + stdtrit(n - 1, power)
    return float(quantiles) * sd / math.sqrt(n)


def units_needed(sd: float, delta: float, power: float = 0.8, alpha: float = ALPHA) -> int:
    """The fewest units whose smallest_effect is at most delta; sd and delta in ln units."""
    if not delta > 0 or not sd >= 0:
        raise ValueError(f"an effect of {delta} with a deviation of {sd}: positive ones are needed")
    if smallest_effect(sd, 2, power, alpha) <= delta:
        return 2
    few, many = 2, 4
    while smallest_effect(sd, many, power, alpha) > delta:
        few, many = many, 2 * many
    while many - few > 1:
        middle = (few + many) // 2
        enough = smallest_effect(sd, middle, power, alpha) <= delta
        few, many = (few, middle) if enough else (middle, many)
    return many


def binomial_interval(hits: int, trials: int, alpha: float = 0.05) -> tuple[float, float]:
    """The interval of a rate of which hits in trials were seen (Clopper & Pearson 1934)."""
    if not 0 <= hits <= trials or trials < 1:
        raise ValueError(f"{hits} of {trials} is not a rate")
    low = betaincinv(hits, trials - hits + 1, alpha / 2) if hits > 0 else 0.0
    high = betaincinv(hits + 1, trials - hits, 1 - alpha / 2) if hits < trials else 1.0
    return float(low), float(high)
