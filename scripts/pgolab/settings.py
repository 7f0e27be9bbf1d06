"""The settings that measuring reads, as the Makefile hands them over."""

import argparse
from dataclasses import dataclass

from pgolab import units
from pgolab.errors import Failure


@dataclass(frozen=True)
class Settings:
    """What the user asked for; shares as fractions, times in seconds."""

    baseline: str
    precision: float
    budget_s: float
    min_effect: float
    layouts: int
    metric: str
    aslr: bool
    race: bool = False


def add_to(parser: argparse.ArgumentParser) -> None:
    """Declares the settings, as text: parse() is what says what is wrong with one."""
    for name in ("baseline", "precision", "budget", "min-effect", "layouts", "metric", "aslr"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--timeout", required=True)
    parser.add_argument("--race", default="no")


def parse(args: argparse.Namespace) -> Settings:
    """The settings as numbers; Failure names the one that makes no sense."""
    units.seconds("TIMEOUT", args.timeout)
    race = units.choice("RACE", args.race, ("yes", "no")) == "yes"
    if race and args.metric == "instructions":
        raise Failure("RACE is 'yes' and METRIC 'instructions'", "a race is one of time")
    return Settings(
        baseline=args.baseline,
        precision=units.fraction("PRECISION", args.precision),
        budget_s=units.seconds("BUDGET", args.budget),
        min_effect=units.fraction("MIN_EFFECT", args.min_effect),
        layouts=units.count("LAYOUTS", args.layouts),
        metric=units.choice("METRIC", args.metric, ("time", "instructions")),
        aslr=units.choice("ASLR", args.aslr, ("yes", "no")) == "yes",
        race=race,
    )
