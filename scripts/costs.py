"""Show what variants cost: to build, to train for, and in size.

Reads what the builds noted; wall seconds are shown where a build had the machine to itself.
"""

from collections import ChainMap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pgolab import errors, facts, layouts, record, terminal
from pgolab.terminal import Column
from pgolab.words import quantity


def seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"


def row(app: str, variant: str, baseline: str, llvm_bin: Path, hot: set[str]) -> list[str]:
    """One variant: build wall and CPU time, peak memory, training, size of text and hot text."""
    binary = Path("build") / app / variant / app
    parts = facts.parts(binary)
    code = [binary, *layouts.libraries(binary)]
    sections = [facts.sections(llvm_bin / "llvm-size", c) for c in code]
    built: dict[str, Any] = facts.build_costs(binary.parent.parent / b for b in parts["builds"])
    profiles = [facts.of_profile(app, name, baseline) for name in parts["profiles"]]
    training = sum(p["instrumented"]["build_cpu_s"] for p in profiles)
    running = sum(w["cpu_s"] for p in profiles for w in p["workloads"].values())
    slowdowns = [p["slowdown"] for p in profiles if p["slowdown"]]
    return [
        variant,
        seconds(built.get("build_wall_s")),
        seconds(built["build_cpu_s"]),
        quantity(built["build_peak_rss_bytes"], "B"),
        f"{training:.2f}+{running:.2f} s" if profiles else "",
        f"{max(slowdowns):.1f}×" if slowdowns else "",
        quantity(record.text_bytes(*sections), "B"),
        quantity(sum(facts.text_of(hot, c, llvm_bin) for c in code), "B") if hot else "",
    ]


def sharing(app: str, variants: Sequence[str], baseline: str) -> str:
    """What building and training took together, and what it would take each variant alone.

    CPU seconds. A variant alone is built with all that it is made from; `make build` adds the
    baseline, which it is verified against.
    """
    where = Path("build") / app

    def cost_of(part: str) -> float:
        return float(facts.build_costs([where / part])["build_cpu_s"])

    def cost_of_training(profile: str) -> float:
        ran = facts.of_profile(app, profile, baseline)["workloads"].values()
        return cost_of(f"{profile}-train") + sum(w["cpu_s"] for w in ran)

    parts = {v: facts.parts(where / v / app) for v in variants}
    builds = {v: {p: cost_of(p) for p in parts[v]["builds"]} for v in variants}
    profiles = {v: {p: cost_of_training(p) for p in parts[v]["profiles"]} for v in variants}
    each = {v: sum(builds[v].values()) + sum(profiles[v].values()) for v in variants}
    alone = sum(each.values())
    with_baseline = alone + (len(variants) - 1) * each[baseline]
    shared = sum(sum(ChainMap(*kind.values()).values()) for kind in (builds, profiles))
    return (
        f"{app}: building and training took {shared:.1f} s of CPU time, {shared / alone:.2f} of the"
        f" {alone:.1f} s that the variants take each alone from nothing,"
        f" {shared / with_baseline:.2f} of the {with_baseline:.1f} s with the baseline for each"
    )


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    parser.add_argument("--apps", nargs="+", required=True)
    parser.add_argument("--variants", nargs="+", required=True)
    parser.add_argument("--baseline", required=True)
    parser.add_argument("--llvm-bin", type=Path, required=True)
    args = parser.parse_args(argv)
    console = terminal.console()
    headers = ["build", "CPU", "memory", "training", "slower", "text", "hot"]
    for app in args.apps:
        hot = facts.hot_functions(app, args.llvm_bin)
        rows = [row(app, variant, args.baseline, args.llvm_bin, hot) for variant in args.variants]
        first, *others = (Column(cells) for cells in zip([app, *headers], *rows))
        console.print("", *terminal.tables(first, others), "")
        console.print(sharing(app, args.variants, args.baseline))
    console.print(
        "\nbuild: wall seconds of one command after the other; training: CPU seconds of the build"
        " that is trained + of the train workloads; slower: that build than the baseline on them;"
        f" hot: bytes of the functions that hold {facts.HOT_SHARE:.0%} of the profile's counts."
    )
    return 0


if __name__ == "__main__":
    errors.run(main)
