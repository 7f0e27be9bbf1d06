"""Whether two measurements of the same variants agree in their verdicts.

`yes`: both say faster, both slower, or both same. `no`: they say different things, and their
estimates differ by more than noise. `open`: they say different things, or the second says nothing,
and noise may be why. `–`: the first was inconclusive, and nothing contradicts that.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pgolab import stats, words
from pgolab.stats import Estimate

YES, NO, OPEN, NOTHING = "yes", "no", "open", "–"


@dataclass(frozen=True)
class Judged:
    """An app of a run: its part of the summary, and the estimates of its variants, if there are."""

    summary: dict[str, Any]
    estimates: dict[str, Estimate]

    def words(self, variant: str) -> str:
        """'1.183 faster', or the ratio of instructions."""
        if "instructions" in self.summary:
            return f"{self.summary['instructions'][variant]['ratio']:.4f}"
        if self.summary["noisy"]:
            return "too noisy"
        result = self.summary["variants"][variant]
        return f"{result['speedup']:.3f} {result['verdict']}"

    def verdict(self, variant: str) -> str:
        if self.summary["noisy"]:
            return "inconclusive"
        return str(self.summary["variants"][variant]["verdict"])


def differ(one: Estimate, other: Estimate, alpha: float, delta: float) -> bool:
    """Whether two independent estimates differ by at least delta (ln units) and more than noise.

    Noise is the interval of level 1 - alpha of their difference, which has the sum of their
    variances and the degrees of freedom of Welch 1947.
    """
    half = stats.over_apps([one, replace(other, mean=-other.mean)])
    return abs(half.mean) > half.half_width(alpha) and 2 * abs(half.mean) >= delta


def of_variant(then: Judged, now: Judged, variant: str, alpha: float, delta: float) -> str:
    """Whether a variant's verdicts agree; of instructions, whether their ratios do to delta."""
    if "instructions" in then.summary:
        ratios = (j.summary["instructions"][variant]["ratio"] for j in (then, now))
        return YES if abs(math.log(next(ratios) / next(ratios))) < delta else NO
    was, is_now = then.verdict(variant), now.verdict(variant)
    if was == is_now != "inconclusive":
        return YES
    if sizes_differ(then, now, variant, alpha, delta):
        return NO
    return NOTHING if was == "inconclusive" else OPEN


def sizes_differ(then: Judged, now: Judged, variant: str, alpha: float, delta: float) -> bool:
    """Whether the speedups differ by more than noise; not known where there is only one."""
    pair = [j.estimates[variant] for j in (then, now) if variant in j.estimates]
    return len(pair) == 2 and differ(pair[0], pair[1], alpha, delta)


def in_words(answers: Sequence[str], what: str) -> str:
    """'2 of 3 verdicts agree, 1 is open'; what: 'verdict', or another noun."""
    yes, no, unsure, nothing = (answers.count(answer) for answer in (YES, NO, OPEN, NOTHING))
    claims = len(answers) - nothing
    if not claims:
        return f"there was no {what} to agree with"
    if yes < claims:
        said = f"{yes} of {words.plural(claims, what)} agree"
    else:
        said = f"all {claims} {what}s agree" if claims > 1 else f"the {what} agrees"
    if no:
        said += f", {no} {'does' if no == 1 else 'do'} not"
    if unsure:
        said += f", {unsure} {'is' if unsure == 1 else 'are'} open"
    if nothing:
        said += f", {nothing} {'was' if nothing == 1 else 'were'} inconclusive then"
    return said
