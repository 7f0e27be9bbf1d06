"""What run.json says: how the run was made and what its binaries are."""

import json
import re
import subprocess
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pgolab import files, floor, layouts, machine, profile, record, tool
from pgolab.bench import Bench
from pgolab.settings import Settings
from pgolab.subject import Subject

HOT_SHARE = 0.99  # of all counts


def git_commit(where: Path = Path()) -> str | None:
    """The commit of a working tree, with '-dirty' when it has changes; None outside git."""
    done = subprocess.run(
        ["git", "-C", where, "describe", "--always", "--abbrev=40", "--dirty", "--match="],
        capture_output=True,
        text=True,
    )
    return done.stdout.strip() if done.returncode == 0 else None


def of_run(name: str, work: str, seed: int, settings: Settings, clang: Path) -> dict[str, Any]:
    """Everything in run.json but the apps; work is what unfinished.identity says."""
    return {
        "schema": record.SCHEMA,
        "run": name,
        "work": work,
        "resumed": [],
        "settings": asdict(settings) | {"aa_floor": floor.known()},
        "seed": seed,
        "git_commit": git_commit(),
        "toolchain": {
            "clang": str(clang),
            "clang_version": tool.output([clang, "--version"]).split("\n")[0],
            "lld_version": tool.output([clang.parent / "ld.lld", "--version"]).split("\n")[0],
            "hyperfine_version": tool.output(["hyperfine", "--version"]).strip(),
        },
        "machine": machine.facts(),
        "apps": {},
    }


def sections(size: Path, binary: Path) -> dict[str, int]:
    """Bytes of each section that takes part in the running program."""
    lines = tool.output([size, "-A", "-d", binary]).splitlines()
    rows = (re.fullmatch(r"(\.\S+)\s+(\d+)\s+(\d+)", line) for line in lines)
    return {row[1]: int(row[2]) for row in rows if row and int(row[3])}


def build_costs(directories: Iterable[Path]) -> dict[str, float | int]:
    """What compilers and linker used for what is in these directories.

    Wall seconds only when their commands ran one at a time.
    """
    costs = [
        path.read_text(encoding="utf-8").split()
        for directory in directories
        for path in directory.rglob("*.cost")
    ]
    total: dict[str, float | int] = {
        "build_cpu_s": round(sum(float(c[1]) + float(c[2]) for c in costs), 3),
        "build_peak_rss_bytes": max((int(c[3]) for c in costs), default=0) * 1024,
    }
    if all(c[4] == "1" for c in costs):
        total["build_wall_s"] = round(sum(float(c[0]) for c in costs), 3)
    return total


def parts(binary: Path) -> dict[str, list[str]]:
    """The builds and the profiles that a variant was made from, by name."""
    noted: dict[str, list[str]] = json.loads((binary.parent / "parts").read_text(encoding="utf-8"))
    return noted


def hot_functions(app: str, llvm_bin: Path, root: Path = Path()) -> set[str]:
    """The functions that hold HOT_SHARE of the counts of the profile `pgo`, if there is one.

    root: where build/ and profiles/ are.
    """
    path = root / "profiles" / app / "pgo.profdata"
    sums = profile.counts(llvm_bin / "llvm-profdata", path) if path.is_file() else {}
    left = HOT_SHARE * sum(sums.values())
    hot = set()
    for name in sorted(sums, key=lambda name: (-sums[name], name)):
        if left <= 0:
            break
        hot.add(profile.plain(name))
        left -= sums[name]
    return hot


def text_of(functions: set[str], binary: Path, llvm_bin: Path) -> int:
    """Bytes of these functions in a binary; one that was inlined everywhere has none."""
    listed = tool.output([llvm_bin / "llvm-nm", "--print-size", "--defined-only", binary])
    rows = (line.split() for line in listed.splitlines())
    sized = ((int(row[1], 16), row[3].split(".")[0]) for row in rows if len(row) == 4)
    return sum(size for size, name in sized if name in functions)


def of_binary(binary: Path, count: int, llvm_bin: Path, hot: set[str]) -> dict[str, Any]:
    """Facts about a variant's binary and its layouts; hot: functions whose size is of interest."""
    made_from = parts(binary)
    code = [binary, *layouts.libraries(binary)]
    found: dict[str, Any] = {
        "sha256": files.sha256(binary),
        "file_bytes": binary.stat().st_size,
        "sections": sections(llvm_bin / "llvm-size", binary),
        "hot_text_bytes": sum(text_of(hot, c, llvm_bin) for c in code) if hot else None,
        "layouts": [files.sha256(layouts.path(binary, n)) for n in range(count)],
        "relinks": layouts.facts(binary),
        "profiles": made_from["profiles"],
    }
    libraries = {
        path.name: {
            "sha256": files.sha256(path),
            "file_bytes": path.stat().st_size,
            "sections": sections(llvm_bin / "llvm-size", path),
            "layouts": [
                files.sha256(layouts.path(binary, n).parent / "lib" / path.name)
                for n in range(count)
            ],
        }
        for path in code[1:]
    }
    if libraries:
        found["libraries"] = libraries
    stem = binary.parent.parent / made_from["builds"][0]
    for key, noted in (("bolt", binary.parent), ("profile_match", stem)):
        path = noted / f"{key.replace('_', '-')}.json"
        if path.is_file():
            found[key] = json.loads(path.read_text(encoding="utf-8"))
    return found | build_costs(binary.parent.parent / name for name in made_from["builds"])


def of_profile(app: str, name: str, baseline: str, root: Path = Path()) -> dict[str, Any]:
    """What training noted about a profile, and what the build that was trained cost.

    root: where build/ and profiles/ are.

    slowdown is its CPU time on the train workloads over that of the baseline; None when that is
    not known, because nothing was verified yet. resemblance is what scripts/resemblance.py found.
    """
    path = root / "profiles" / app / f"{name}.json"
    noted: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    built = build_costs([root / "build" / app / f"{name}-train"])
    trained_s = sum(w["cpu_s"] for w in noted["workloads"].values())
    known = root / "build" / app / baseline / "train-times.json"
    baseline_s = sum(json.loads(known.read_text()).values()) if known.is_file() else 0.0
    slowdown = round(trained_s / baseline_s, 3) if baseline_s else None
    compared = root / "build" / app / f"{name}-train" / "resemblance.json"
    resemblance = json.loads(compared.read_text(encoding="utf-8")) if compared.is_file() else None
    return noted | {"instrumented": built, "slowdown": slowdown, "resemblance": resemblance}


def of_app(bench: Bench, subject: Subject, clang: Path, trained_against: str) -> dict[str, Any]:
    """Facts about an app: workloads with their scales, variants with their binaries.

    trained_against: the variant whose CPU time tells how much slower training is. Profiles of
    sides are named SIDE/PROFILE.
    """
    app, llvm_bin = subject.name, clang.parent
    variants, profiles = {}, {}
    hot: dict[Path, set[str]] = {}
    for variant, binary in subject.binaries.items():
        root = binary.parents[3]
        if root not in hot:
            hot[root] = hot_functions(app, llvm_bin, root)
        found = of_binary(binary, bench.staged, llvm_bin, hot[root])
        prefix = f"{variant}/" if subject.sides else ""
        for name in found["profiles"]:
            if prefix + name not in profiles:
                profiles[prefix + name] = of_profile(app, name, trained_against, root)
        found["profiles"] = [prefix + name for name in found["profiles"]]
        variants[variant] = found
    return {
        "about": bench.app.about,
        "directory": str(bench.app.directory),
        "layouts": bench.layouts,
        "pinned_cpu": bench.hyperfine.cpu,
        "workloads": {
            one.name: {
                "command": list(one.words),
                "scale": bench.scales[one.name],
                "work": list(one.work) if one.work else None,
                "metrics": one.name in bench.with_metrics,
            }
            for one in bench.workloads
        },
        "variants": variants,
        "profiles": profiles,
    }
