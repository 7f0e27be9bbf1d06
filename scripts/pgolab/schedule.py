"""The order in which the commands of a block run."""

from collections.abc import Iterator

import numpy as np


def arms(variants: list[str], baseline: str, copy: str, racing: bool = False) -> list[str]:
    """What one block times: every other variant once, the baseline, and a copy of the baseline.

    The baseline runs about sqrt(k) times among k others, which balances the variance of their
    common denominator against the time it takes (Dunnett 1955), and at least twice, which pays even
    for one other. In a race the others are compared with each other, and it runs twice.
    """
    others = [v for v in variants if v != baseline]
    count = 2 if racing else max(2, round(len(others) ** 0.5))
    return [baseline] * count + [copy] + others


def orders(count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Endless random orders of range(count), balanced over positions.

    Yields the rows of one random Latin square after another: within each count consecutive
    orders, every element stands once at every position.
    """
    cyclic = (np.arange(count)[:, None] + np.arange(count)) % count
    while True:
        yield from rng.permutation(count)[cyclic[rng.permutation(count)][:, rng.permutation(count)]]
