"""How numbers, variants and verdicts are put into words, wherever a person reads them."""

from typing import Any

PREFIXES = {"G": 1e9, "M": 1e6, "k": 1e3}
MARKS = {"faster": "▲", "slower": "▼", "same": "■", "inconclusive": "◇", "baseline": "○"}
LEVELS = {"o1": "-O1", "o2": "-O2", "o3": "-O3", "os": "-Os"}
PROFILES = {"pgo": "PGO", "cspgo": "context-sensitive PGO", "sample": "sample-based PGO"}
LTO = {"thin": "ThinLTO", "full": "full LTO"}
LATER = {
    "startup": "startup ordering", "bolt": "BOLT", "unity": "a unity build",
    "native": "-march=native", "inline100": "less inlining", "inline500": "more inlining",
}  # fmt: skip
WORKING_TREE = "working tree"  # the revision of a side that is no commit
WITHOUT_RECIPE = {"gcc"}
# In the order in which they are said; of a group, a variant has one.
GROUPS = (LEVELS, PROFILES, LTO)
WORDS = LEVELS | PROFILES | LTO | LATER


def listed(parts: list[str]) -> str:
    """'a, b and c'."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def in_words(variant: str, baseline: str) -> str:
    """'PGO with ThinLTO, without PIE': what makes a variant another build than the baseline."""
    own, base = variant.split("-"), baseline.split("-")
    added = [t for t in own if t not in (*base, "gcc", "nopie")]
    replaced = {t for group in GROUPS if group.keys() & set(added) for t in group}
    removed = [t for t in base if t not in (*own, *replaced, "gcc", "nopie")]
    order = [*WORDS, *added]
    parts = [WORDS.get(t, t) for t in sorted(added, key=order.index)]
    if ("gcc" in own) != ("gcc" in base):
        parts.insert(0, "GCC" if "gcc" in own else "Clang")
    lost = [WORDS.get(t, t) for t in removed]
    if "nopie" in own and "nopie" not in base:
        lost.append("PIE")
    if "nopie" in base and "nopie" not in own:
        parts.append("PIE")
    said = parts[:1] + ([f"with {listed(parts[1:])}"] if parts[1:] else [])
    if lost:
        comma = "," if parts[1:] else ""
        without = f"without {listed(lost)}"
        said = [" ".join(said) + comma, without] if said else [f"a build {without}"]
    return " ".join(said) or variant


def capital(text: str) -> str:
    """With an upper-case first letter; the rest as it is."""
    return text[:1].upper() + text[1:]


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def percent(share: float) -> str:
    return f"{100 * share:.2g} %"


def interval(result: dict[str, Any], decimals: int = 3) -> str:
    """'[1.174, 1.192]'; nothing for the baseline."""
    if "interval" not in result:
        return ""
    low, high = result["interval"]
    return f"[{low:.{decimals}f}, {high:.{decimals}f}]"


def times(result: dict[str, Any], decimals: int = 3) -> str:
    """'1.183 [1.174, 1.192]'."""
    return f"{result['speedup']:.{decimals}f} {interval(result, decimals)}".rstrip()


def three_digits(value: float) -> str:
    """A number to three digits, without an exponent."""
    decimals = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:.{decimals}f}"


def quantity(value: float, unit: str) -> str:
    """'8.57 G products/s', '17.4 kB': three digits, with a prefix where the number is long."""
    prefix = next((p for p, size in PREFIXES.items() if value >= 9.995 * size), "")
    space = " " if prefix and len(unit) > 1 else ""
    return f"{three_digits(value / PREFIXES.get(prefix, 1))} {prefix}{space}{unit}"


def performance(result: dict[str, Any]) -> str:
    """Throughput on a workload, or the time where the work is not known."""
    if "throughput" in result:
        return quantity(result["throughput"]["value"], result["throughput"]["unit"])
    return f"{result['median_s'] * 1e3:.3g} ms"


def building_s(costs: dict[str, Any]) -> tuple[float, float]:
    """CPU seconds of a variant's own build, and what training for it took."""
    training = costs.get("train_build_cpu_s", 0.0) + costs.get("train_wall_s", 0.0)
    return float(costs["build_cpu_s"]), float(training)


def conditions(app: dict[str, Any]) -> str:
    """How an app was measured."""
    precision, dropped = app["precision"], app["dropped_blocks"]
    count = len(next(iter(app["variants"].values()))["workloads"])
    parts = [
        plural(count, "eval workload"),
        f"{app['blocks']} blocks" + (f" ({dropped} dropped)" if dropped else ""),
        f"±{percent(precision['reached'])} (target {percent(precision['target'])}"
        + ("" if precision["met"] else ", not met: the budget ended") + ")",
        f"{app['layouts']} layouts" if app["layouts"] > 1 else "single layout",
        f"A/A {times(app['aa'])}",
    ]
    return ", ".join(parts)


def too_noisy(app: dict[str, Any]) -> str:
    """Why there are no numbers."""
    return (
        "this machine was too noisy to say anything: other programs or the hypervisor disturbed"
        f" {app['dropped_blocks']} of {app['blocks'] + app['dropped_blocks']} blocks."
        " 'make doctor' says more."
    )


ABOUT_INSTRUCTIONS = (
    "Fewer instructions are not always less time: this shows what code generation did, and is no"
    " verdict on PGO or layout."
)


def notes(app: dict[str, Any], facts: dict[str, Any]) -> list[str]:
    """What a reader should know before believing the table; facts: the app's part of run.json."""
    found = [*facts.get("notes", []), *app.get("advice", [])]
    if "precision" not in app:
        return found
    costs = [r["costs"] for r in app["variants"].values()]
    links = sum(c["relink_cpu_s"] for c in costs)
    training = max(c.get("train_build_cpu_s", 0.0) for c in costs)
    building = links + training + sum(c["build_cpu_s"] for c in costs)
    if app["layouts"] > 1:
        found.append(
            f"linking {app['layouts']} layouts of each variant took {links:.1f} s of CPU time,"
            f" {percent(links / building)} of all building; in the column 'layouts' is the"
            " standard deviation of the ratio between them"
        )
    if "text_pages" in app:
        found.append(f"pages of code touched at scale 1: {text_pages(app['text_pages'])}")
    long = app["long_runs"]
    if long and not long["holds"]:
        short = app["variants"][long["variant"]]
        found.append(
            f"in runs {long['factor']} times as long {long['variant']} is {times(long)},"
            f" not {times(short)}: start-up or caches play a part in the shorter ones"
        )
    return found


def text_pages(counted: dict[str, dict[str, int | None]]) -> str:
    """'o2 12 and 9, o2-startup 8 and 8': of each variant, on each workload that can be counted."""
    each = {v: [str(n) for n in pages.values() if n is not None] for v, pages in counted.items()}
    return ", ".join(f"{v} {listed(pages) or '–'}" for v, pages in each.items())


def delta(summary: dict[str, Any]) -> float:
    """The smallest effect that counts, as a share."""
    return float(max(summary["min_effect"], summary["aa_floor"] or 0.0))


def verdict(result: dict[str, Any]) -> str:
    """A variant's verdict, or the block at which a race dropped it."""
    if "dropped_at" in result:
        return f"dropped at {result['dropped_at']}"
    return str(result["verdict"])


def recommendation(app: dict[str, Any]) -> list[str]:
    """What a race ends in: names of variants, with what makes them worth it; else nothing."""
    if "recommendation" not in app:
        return []
    found, raced = app["recommendation"], app["race"]
    lines = []
    if raced:
        lines.append(
            f"Of {len(app['variants']) - 1} variants {len(raced['dropped'])} were dropped as"
            f" clearly slower than the best. {raced['winner']} won and was measured again, with"
            f" {raced['runner_up']}, in the blocks from {raced['confirmed_from']} on, which alone"
            " give the figures of these two."
        )
    lines += [
        f"fastest: {found['fastest']}",
        f"cheapest within noise of it: {found['cheapest']}",
        "no other variant is as fast, as quickly built and as small as any of these:",
    ]
    for point in found["pareto"]:
        text, build = quantity(point["text_bytes"], "B"), f"{point['build_cpu_s']:.1f} s"
        lines.append(f"  {point['variant']:32} {point['speedup']:.3f} {build:>9} {text:>8}")
    return lines


def side(summary: dict[str, Any], name: str) -> str:
    """'origin/main, 6ebcbca4dddb, with changes': base or new of a comparison."""
    facts = summary["compare"][name]
    commit, _, dirty = (facts["commit"] or "").partition("-")
    parts = (facts["revision"], commit[:12], "with changes" if dirty else "")
    return ", ".join(part for part in parts if part and part != commit)


def comparison(summary: dict[str, Any]) -> list[str]:
    """What the two sides of a comparison are; nothing where there are none."""
    if "compare" not in summary:
        return []
    compared = summary["compare"]
    sides = ("base", "new")
    compilers = {compared[name]["compiler"] for name in sides}
    lines = [
        f"{name}: {side(summary, name)}"
        + (f", built by {compared[name]['compiler']}" if len(compilers) > 1 else "")
        for name in sides
    ]
    return [*lines, f"both built as {compared['variant']}"]


def meaning(variant: str, summary: dict[str, Any]) -> str:
    """What a variant is, in words; nothing for a baseline."""
    if "compare" in summary:
        return side(summary, variant)
    return "" if variant == summary["baseline"] else in_words(variant, summary["baseline"])


def as_fast(result: dict[str, Any]) -> str:
    """'new is 0.970 [0.961, 0.979] times as fast as base'."""
    return f"new is {times(result)} times as fast as base"


def gate(summary: dict[str, Any]) -> str:
    """What a comparison comes to, for the last line on a terminal."""
    found = summary["gate"]
    status = f"gate: {found['status']}"
    if "instructions" in found:
        return f"{status}: new takes {found['instructions']:.4f} times the instructions of base"
    first, last = found["stages"][0], found["stages"][-1]
    if found["status"] == "undecided":
        seen = f"; {as_fast(first)} in the first blocks" if last is not first else ""
        return f"{status}: this machine was too noisy to see anything{seen}"
    if last is first:
        more = "; inconclusive: a larger BUDGET sees more"
        return f"{status}: {as_fast(last)}{more if last['verdict'] == 'inconclusive' else ''}"
    if found["status"] == "regression":
        return f"{status}: {as_fast(last)}, and was {times(first)} in the blocks before"
    return f"{status}: {as_fast(last)}; {times(first)} in the blocks before was not confirmed"


def best_variant(app: dict[str, Any], baseline: str) -> str | None:
    """The fastest variant; None where there is only the baseline."""
    if "recommendation" in app and app["recommendation"]["fastest"] != baseline:
        return str(app["recommendation"]["fastest"])
    others = {v: float(r["speedup"]) for v, r in app["variants"].items() if v != baseline}
    return max(others, key=lambda v: others[v]) if others else None


def recipe(app: dict[str, Any], facts: dict[str, Any], summary: dict[str, Any]) -> str | None:
    """The command that exports the fastest variant, where it is worth it and there is a recipe."""
    if "compare" in summary or "instructions" in app or app["noisy"]:
        return None
    best = best_variant(app, summary["baseline"])
    if not best or app["variants"][best]["verdict"] != "faster":
        return None
    if WITHOUT_RECIPE & {*best.split("-")}:
        return None
    name = facts["directory"].removeprefix("sample-apps/")
    return f"make recipe APP={name} VARIANT={best} FORMAT=make"


def compared(name: str, result: dict[str, Any], summary: dict[str, Any]) -> str:
    """What the figures of a comparison mean."""
    if result["verdict"] == "same":
        return f"New does not change the speed of {name} by more than {percent(delta(summary))}."
    if result["verdict"] == "inconclusive":
        return f"{capital(as_fast(result))}: no difference was detected."
    return f"{capital(as_fast(result))} on {name}: it is {result['verdict']}."


def sentence(
    name: str, app: dict[str, Any], summary: dict[str, Any], with_interval: bool = False
) -> str:
    """What an app's table means."""
    base = summary["baseline"]
    if "compare" in summary:
        return compared(name, app["variants"]["new"], summary)
    best = best_variant(app, base)
    if best is None:
        return f"There is nothing but {base} to compare."
    result = app["variants"][best]
    if result["verdict"] == "faster":
        held_out = " on workloads it was not trained on" if PROFILES.keys() & {
            *best.split("-")} else ""  # fmt: skip
        decimals = 2 if result["speedup"] >= 1.05 else 3
        rate = f"{result['speedup']:.{decimals}f} times"
        if with_interval:
            rate = f"{result['speedup']:.{decimals}f}× {interval(result, decimals)}"
        return f"{capital(in_words(best, base))} makes {name} {rate} as fast{held_out}."
    verdicts = {r["verdict"] for v, r in app["variants"].items() if v != base}
    if verdicts == {"same"}:
        return f"No variant changes the speed of {name} by more than {percent(delta(summary))}."
    if verdicts == {"slower"}:
        return f"Every variant makes {name} slower than {base}."
    found = f"No variant is detectably faster than {base}."
    if "inconclusive" in verdicts:
        more = f"PRECISION={50 * delta(summary):.2g}%" if app["precision"]["met"] else "BUDGET=5m"
        found += f" What is inconclusive needs more time: {more}."
    return found
