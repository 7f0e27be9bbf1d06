"""A run as an HTML page: what is in report.html, from the run's files."""

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pgolab import page, words
from pgolab.page import Cell, Table, number, text
from pgolab.plots import Plot

READING = (
    "speedup: the baseline's time over the variant's, so 1.10 is a tenth faster. It is the"
    " geometric mean over the eval workloads, none of which was trained on.",
    "interval: where the true speedup lies with 95 % confidence; those of an app's variants hold"
    " together, those of single workloads one by one.",
    "▲ faster, ▼ slower: the interval excludes 1 and the effect is large enough to count;"
    " ■ same: it is certainly too small to count; ◇ inconclusive: not enough is known to say.",
    "layouts: functions were moved about by relinking, and the interval contains what that changes;"
    " the figure is the standard deviation between layouts.",
    "A/A: a copy of the baseline, timed as if it were a variant. It should be 1.",
)


@dataclass(frozen=True)
class Group:
    """Some tables under a heading, with lines of text before them."""

    title: str
    tables: list[Table]
    lines: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Section:
    """What the page says about one app."""

    name: str
    anchor: str
    about: str
    headline: str
    verdict: str
    conditions: str
    notes: list[str]
    plots: list[Plot]
    groups: list[Group]


@dataclass(frozen=True)
class Overall:
    """What it says about all of them together."""

    plots: list[Plot]
    tables: list[Table]


@dataclass(frozen=True)
class Step:
    """One thing to do to reproduce the run."""

    what: str
    command: str


def seconds(value: float | None) -> Cell:
    return number(value, f"{value:.1f} s" if value is not None else "")


def size(value: float | None) -> Cell:
    return number(value, words.quantity(value, "B") if value is not None else "")


def share(value: float | None) -> Cell:
    return number(value, f"{100 * value:.1f} %" if value is not None else "")


def speedup(result: dict[str, Any]) -> list[Cell]:
    """Three cells: the speedup, its interval, the verdict."""
    if "verdict" not in result:  # a workload of the baseline
        result = {"speedup": 1.0, "verdict": "baseline"}
    low = result["interval"][0] if "interval" in result else None
    return [
        number(result["speedup"], f"{result['speedup']:.3f}"),
        number(low, words.interval(result)),
        page.verdict(result),
    ]


def speedups(app: dict[str, Any], summary: dict[str, Any]) -> Table:
    rows = [[text("A/A"), text("the baseline again"), *speedup(app["aa"]), text("")]]
    for variant, result in app["variants"].items():
        spread = result.get("layout_spread") or {}
        said = text(words.meaning(variant, summary))
        rows.append([text(variant), said, *speedup(result), share(spread.get("sd"))])
    headers = ["variant", "in words", "speedup", "95 % interval", "verdict", "layouts"]
    return Table("Speedup over all workloads", headers, rows)


def costs(app: dict[str, Any]) -> Table:
    rows = []
    for variant, result in app["variants"].items():
        cost = result["costs"]
        own, training = words.building_s(cost)
        rows.append([
            text(variant), seconds(own), seconds(training or None),
            seconds(cost.get("build_wall_s")), seconds(cost["relink_cpu_s"]),
            size(cost["build_peak_rss_bytes"]), size(cost["text_bytes"]), size(cost["file_bytes"]),
        ])  # fmt: skip
    headers = [
        "variant", "build, CPU", "training", "build, wall", "relinks, CPU", "peak memory",
        "machine code", "file",
    ]  # fmt: skip
    if not any(r["costs"].get("build_wall_s") for r in app["variants"].values()):
        headers.pop(3)
        rows = [row[:3] + row[4:] for row in rows]
    return Table("What the variants cost", headers, rows)


def workloads(app: dict[str, Any]) -> list[Table]:
    """Throughput and time on each workload; what the workloads measured themselves."""
    rows, own = [], []
    for variant, result in app["variants"].items():
        for name, found in result["workloads"].items():
            rate = found.get("throughput")
            rows.append([
                text(variant), text(name), *speedup(found),
                number(rate["value"], words.quantity(rate["value"], rate["unit"])) if rate
                else text(""),
                number(found["median_s"], f"{found['median_s'] * 1e3:.3g} ms"),
            ])  # fmt: skip
            for metric, value in found.get("metrics", {}).items():
                own.append([
                    text(variant), text(name), text(metric),
                    number(value["median"], f"{value['median']:.6g}"),
                    text(f"{value['better']} is better"), *speedup(value),
                ])  # fmt: skip
    judged = ["speedup", "95 % interval", "verdict"]
    tables = [
        Table("Workloads", ["variant", "workload", *judged, "throughput", "median time"], rows)
    ]
    if own:
        headers = ["variant", "workload", "metric", "median", "which", *judged]
        tables.append(Table("What workloads measured themselves", headers, own))
    return tables


def instructions(app: dict[str, Any]) -> Table:
    rows = [
        [text(v), number(r["ratio"], f"{r['ratio']:.4f}")]
        + [number(w["ratio"], f"{w['ratio']:.4f}") for w in r["workloads"].values()]
        for v, r in app["instructions"].items()
    ]
    names = list(next(iter(app["instructions"].values()))["workloads"])
    return Table("Instructions relative to the baseline", ["variant", "all", *names], rows)


def functions(found: Iterable[dict[str, Any]]) -> str:
    """'parse 31.0 %, print 4.2 %'."""
    return ", ".join(f"{f['function']} {100 * f['share']:.1f} %" for f in found)


def profile_health(facts: dict[str, Any]) -> Group | None:
    """What the profiles were taken from, and how well they fit what they were used for."""
    tables = []
    about: list[list[Cell]] = []
    trained = []
    for name, found in facts.get("profiles", {}).items():
        raw, functions_ = found.get("raw_profiles"), found.get("functions")
        slowdown, overlap = found.get("slowdown"), found.get("overlap_with_previous")
        about.append([
            text(name),
            text(f"{functions_['with_counts']} with counts, {functions_['without_counts']} without"
                 if functions_ else ""),
            text(f"{raw['read']} read, {raw['dropped']} dropped" if raw else ""),
            share(overlap),
            number(slowdown, f"{slowdown:.1f}×" if slowdown else ""),
            text(functions(found.get("hottest", []))),
            text(found["sha256"]),
        ])  # fmt: skip
        for workload, w in found["workloads"].items():
            total = w.get("total_count")
            trained.append([
                text(name), text(workload),
                number(w.get("weight"), f"{w.get('weight', 0):g}"),
                number(w.get("merge_weight"), str(w.get("merge_weight"))),
                number(total, words.quantity(total, "") if total is not None else ""),
                number(w["wall_s"], f"{w['wall_s']:.3f} s"),
            ])  # fmt: skip
    if about:
        headers = [
            "profile", "functions", "raw profiles", "overlap with the one before",
            "slower while training", "hottest functions", "SHA-256",
        ]  # fmt: skip
        kept = [i for i in range(len(headers)) if any(row[i].text for row in about)]
        tables.append(Table(
            "Profiles", [headers[i] for i in kept], [[row[i] for i in kept] for row in about]
        ))  # fmt: skip
        headers = ["profile", "train workload", "weight", "merge weight", "counts", "wall time"]
        tables.append(Table("Training", headers, trained))
    matches = [
        [text(variant), share(match["share"]), text(functions(match["mismatched"])),
         text(functions(match["missing"]))]
        for variant, found in facts["variants"].items()
        if (match := found.get("profile_match"))
    ]  # fmt: skip
    if matches:
        headers = ["variant", "matched", "hot functions that changed", "hot functions not found"]
        tables.append(Table("How much of the profile fits the code", headers, matches))
    return Group("Profile health", tables) if tables else None


def bolt(facts: dict[str, Any]) -> Group | None:
    """What BOLT counted before and after."""
    tables, lines = [], []
    for variant, found in facts["variants"].items():
        if "bolt" not in found:
            continue
        rows = [
            [text(name), *(number(v, f"{v:,}") for v in (before, after)),
             share((after - before) / before if before else None)]
            for name, (before, after) in found["bolt"]["dyno_stats"].items()
        ]  # fmt: skip
        tables.append(Table(f"{variant}: events", ["event", "before", "after", "change"], rows))
        covered = 100 * found["bolt"]["covered_share"]
        line = f"{variant}: BOLT covers {covered:.1f} % of what is executed"
        skipped = found["bolt"]["skipped_hot"]
        lines.append(line + (f"; skipped although hot: {', '.join(skipped)}." if skipped else "."))
    return Group("BOLT", tables, lines) if tables else None


def binaries(facts: dict[str, Any]) -> Group:
    rows = [[text(v), text(found["sha256"])] for v, found in facts["variants"].items()]
    return Group("Binaries", [Table("What was timed", ["variant", "SHA-256"], rows)])


def longer_runs(app: dict[str, Any]) -> str:
    """Whether the ratio held in longer runs; nothing where that was not checked."""
    long = app.get("long_runs")
    if not long:
        return ""
    agree = "which agrees" if long["holds"] else "which does not agree"
    return (
        f" In runs {long['factor']} times as long {long['variant']} is {words.times(long)},"
        f" {agree} with the shorter ones."
    )


def section(
    index: int, name: str, app: dict[str, Any], facts: dict[str, Any],
    summary: dict[str, Any], drawn: list[Plot],
) -> Section:  # fmt: skip
    base = summary["baseline"]
    groups, conditions = [Group("Costs", [costs(app)])], ""
    if "instructions" in app:
        headline, verdict = f"{name}: instructions relative to {base}.", "baseline"
        groups.insert(0, Group("Instructions", [instructions(app)], [words.ABOUT_INSTRUCTIONS]))
    elif app["noisy"]:
        headline, verdict = f"{name}: {words.too_noisy(app)}", "inconclusive"
    else:
        best = words.best_variant(app, base)
        headline = words.sentence(name, app, summary, with_interval=True)
        verdict = app["variants"][best]["verdict"] if best else "baseline"
        conditions = words.capital(words.conditions(app)) + "." + longer_runs(app)
        groups[:0] = [
            Group("Speedups", [speedups(app, summary)]), Group("Workloads", workloads(app))
        ]  # fmt: skip
    groups += [g for g in (profile_health(facts), bolt(facts), binaries(facts)) if g]
    return Section(
        name, f"app-{index}", app["about"], headline, verdict, conditions,
        [*words.notes(app, facts), *words.recommendation(app)], drawn, groups,
    )  # fmt: skip


def over_apps(summary: dict[str, Any]) -> list[Table]:
    if len(summary["apps"]) < 2 or not summary["geomean"]:
        return []
    base = summary["baseline"]
    rows = [
        [text(v), text(words.in_words(v, base)), *speedup(r)]
        for v, r in summary["geomean"].items()
    ]
    headers = ["variant", "in words", "speedup", "95 % interval", "verdict"]
    return [Table("Geometric mean over all apps", headers, rows)]


def setting(name: str, value: object) -> str:
    """A setting of run.json as it is given to make."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name in ("precision", "min_effect") and isinstance(value, float):
        return f"{100 * value:g}%"
    return f"{value:g}s" if isinstance(value, float) else str(value)


def measuring(apps: dict[str, Any]) -> list[str]:
    """The command that measures these apps, without the settings."""
    variants = dict.fromkeys(v for app in apps.values() for v in app["variants"])
    return ["make", "matrix", f"APPS={' '.join(apps)}", f"VARIANTS={' '.join(variants)}"]


def comparing(compared: dict[str, Any]) -> list[str]:
    """The command that compares two sides, without the settings."""
    sides = [
        f"{name.upper()}={compared[name]['commit']}"
        for name in ("base", "new")
        if compared[name]["revision"] != words.WORKING_TREE
    ]
    return ["make", "compare", f"APP={compared['app']}", f"VARIANT={compared['variant']}", *sides]


def again(run: dict[str, Any]) -> list[Step]:
    """The commands that measure, and judge, this run again."""
    steps = []
    commit = (run["git_commit"] or "").removesuffix("-dirty")
    if commit:
        changed = " (the working tree had changes that are not in it)" if commit != run[
            "git_commit"] else ""  # fmt: skip
        steps.append(Step(f"The same pgolab and apps{changed}:", f"git checkout {commit}"))
    command = comparing(run["compare"]) if "compare" in run else measuring(run["apps"])
    for name in ("baseline", "precision", "budget_s", "min_effect", "layouts", "metric", "aslr"):
        value = setting(name, (run["settings"] | run.get("compare", {}))[name])
        command.append(f"{name.removesuffix('_s').upper()}={value}")
    if run["toolchain"].get("clang"):
        command.append(f"CLANG={run['toolchain']['clang']}")
    steps.append(Step(
        "Build and measure again (an app that is not in sample-apps/ is given as the path of its"
        " directory):",
        " ".join(re.sub(r"^'([A-Z_]+=)", r"\1'", shlex.quote(word)) for word in command),
    ))  # fmt: skip
    steps.append(Step(
        "Judge the recorded times again and make this report, on any machine:",
        f"make report {shlex.quote('RUN=results/' + run['run'])}",
    ))  # fmt: skip
    return steps


def conditions(run: dict[str, Any]) -> list[Table]:
    """Machine, toolchain and settings."""
    machine, settings = dict(run["machine"]), dict(run["settings"])
    if machine.get("memory_bytes"):
        machine["memory"] = f"{machine.pop('memory_bytes') / 2**30:.1f} GiB"
    named = {"randomize_va_space": "address space randomization", "cpus": "CPUs"}
    pinned = {f"{a}: timed on CPU": x.get("pinned_cpu") for a, x in run["apps"].items()}
    shown = {named.get(k, k): v for k, v in machine.items()} | pinned
    floor = settings.pop("aa_floor", None)
    asked = {k.removesuffix("_s").replace("_", " "): setting(k, v) for k, v in settings.items()}
    asked["A/A floor of this machine"] = words.percent(floor) if floor else "not calibrated"
    asked["seed"] = str(run["seed"])
    tools = {k.removesuffix("_version").replace("_", " "): v for k, v in run["toolchain"].items()}
    if "clang_version" in run["toolchain"]:
        tools["clang"] = run["toolchain"]["clang_version"]
        tools["path of clang"] = run["toolchain"].get("clang")
    tools["pgolab, git commit"] = run["git_commit"]
    return [
        page.facts("Machine", shown), page.facts("Toolchain", tools),
        page.facts("Settings", dict(asked)), *commands(run),
    ]  # fmt: skip


def commands(run: dict[str, Any]) -> list[Table]:
    """The command lines that were timed."""
    rows = [
        [text(app), text(name), text(shlex.join(w["command"])), number(w["scale"], str(w["scale"]))]
        for app, facts in run["apps"].items()
        for name, w in facts["workloads"].items()
    ]
    return [Table("Eval workloads", ["app", "workload", "command", "scale"], rows)]


def date(name: str) -> str:
    """'2026-11-23 17:50' of a run's name; the name where it has none."""
    found = re.match(r"(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)", name)
    return "{}-{}-{} {}:{}".format(*found.groups()) if found else name


def render(
    run: dict[str, Any], summary: dict[str, Any], of_all: list[Plot],
    of_apps: dict[str, list[Plot]],
) -> str:  # fmt: skip
    """The page, with the figures over all apps and those of each."""
    apps = [
        section(i, name, app, run["apps"][name], summary, of_apps[name])
        for i, (name, app) in enumerate(summary["apps"].items())
    ]
    subject = apps[0].name if len(apps) == 1 else words.plural(len(apps), "app")
    parts = (
        f"run {run['run']}", date(run["run"]), run["machine"].get("processor"),
        run["toolchain"].get("clang_version"),
        *(words.comparison(summary) or [f"baseline {summary['baseline']}"]),
    )  # fmt: skip
    return page.render(
        "report.html", title=f"pgolab: {subject}", subtitle=" · ".join(p for p in parts if p),
        apps=apps, overall=Overall(of_all, over_apps(summary)), conditions=conditions(run),
        reading=READING, again=again(run),
    )  # fmt: skip
