"""Does the gate catch a regression of 3 %, and pass a change that makes nothing slower?

Makes a git repository with a copy of an app and, for each trial, three commits: a base; the base
with extra work in a hot function; the base with a comment and an unused function, which move code
about. The extra work is the same each time and comes once in so many calls: the period is measured,
with ten times the slowdown, before the trials. Runs scripts/gate on both changes and prints how
often it caught the one and passed the other. Goes on where it was interrupted; to start afresh,
remove build/gate-proof.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from pgolab import errors, files, sides, stats, terminal, words, workspace
from pgolab.errors import Failure

WHERE = Path("build/gate-proof")
SLOWDOWN = 0.03
CALIBRATED_AT = 0.3  # large enough to be measured to a hundredth of itself
FIRST_PERIOD = 64
NEVER = 2**32 - 1
EXTRA_WORK = """\
/* Extra work in one of PERIOD calls: a chain of dependent steps that no compiler shortens. */
#define PERIOD {period}u
static void extra_work(void) {{
    static unsigned left = PERIOD;
    static unsigned long value;
    if (--left)
        return;
    left = PERIOD;
    for (int i = 0; i < 200; i++) {{
        value = value * 6364136223846793005u + 1;
        __asm__ volatile("" : "+r"(value));
    }}
}}

"""
UNUSED = """
/* {comment} */
__attribute__((used)) static unsigned unused_{number}(unsigned x) {{
{body}    return x;
}}
"""
COMMITTER = {
    f"GIT_{who}_{key}": value
    for who in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "gate"), ("EMAIL", "gate@proof"), ("DATE", "2000-01-01T00:00:00Z"))
}


class Repository:
    """The scratch repository, in which the same content is the same commit."""

    def __init__(self, app: Path, hot: str) -> None:
        """hot: FILE:FUNCTION of the app, where the extra work is done."""
        self.app = WHERE / "source" / app.name
        self.file, _, self.function = hot.partition(":")
        if not (self.app / ".git").is_dir():
            made = files.work_directory(WHERE / "source", "new")
            shutil.copytree(app, made / "app")
            workspace.git(made / "app", "init", "--quiet")
            (made / "app").rename(self.app)
            made.rmdir()
        self.plain = (app / self.file).read_text(encoding="utf-8")

    def commit(self, trial: int, period: int = NEVER, moved: bool = False) -> str:
        """A commit with its extra work and its unused functions."""
        start = rf"^[^\n;#]*\b{self.function}\([^;{{}}]*\)\s*\{{\n"
        match = re.search(start, self.plain, re.MULTILINE)
        if not match:
            raise Failure(f"'{self.file}' has no function '{self.function}'", "see --hot")
        before, after = self.plain[:match.start()], self.plain[match.end():]
        text = before + EXTRA_WORK.format(period=period)
        text += f"{match[0]}    extra_work();\n{after}"
        text += unused(trial, 3 + 5 * trial) + (unused(10**6 + trial, 40) if moved else "")
        (self.app / self.file).write_text(text, encoding="utf-8")
        workspace.git(self.app, "add", "--all")
        tree = workspace.git(self.app, "write-tree").decode().strip()
        name = workspace.git(self.app, "commit-tree", "-m", "a trial", tree).decode().strip()
        workspace.git(self.app, "update-ref", f"refs/trials/{name}", name)
        return name


def unused(number: int, statements: int) -> str:
    """A function that is not called, of about so many instructions."""
    body = "".join(f"    x = x * {2 * i + 3}u ^ x >> {i % 13 + 1};\n" for i in range(statements))
    return UNUSED.format(comment=f"Nothing calls it: {number}.", number=number, body=body)


def run_gate(app: Path, base: str, new: str, settings: Sequence[str]) -> dict[str, Any]:
    """Runs scripts/gate; its status, the run, and how much slower new was found to be."""
    given = [f"APP={app}", f"BASE={base}", f"NEW={new}", *settings]
    done = subprocess.run(["scripts/gate", *given], capture_output=True, text=True)
    lines = done.stdout.splitlines()
    if done.returncode not in (0, 1):
        tail = (done.stdout + done.stderr).splitlines()[-20:]
        raise Failure(f"scripts/gate ended with {done.returncode}", f"it had {given}", tail)
    (shown,) = (line for line in lines if line.startswith("report: "))
    run = Path(shown.removeprefix("report: ")).parent
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    found = summary["gate"]
    slower = [found["instructions"] - 1] if "instructions" in found else [
        1 / stage["speedup"] - 1 for stage in found["stages"] if "speedup" in stage
    ]  # fmt: skip
    return {"status": found["status"], "slower": slower, "run": run.name, "said": lines[-1]}


def calibrated(repository: Repository, settings: Sequence[str], counting: bool) -> int:
    """The period at which the extra work takes SLOWDOWN; the slowdown is inverse to it.

    By instructions first, which are quickly counted; unless they are the metric, then twice by
    time, of which the second is near CALIBRATED_AT.
    """
    base, period = repository.commit(0), float(FIRST_PERIOD)
    counted, timed = [*settings, "METRIC=instructions"], [*settings, "BUDGET=60s"]
    rounds = [counted] if counting else [counted, timed, timed]
    for number, given in enumerate(rounds):
        found = run_gate(repository.app, base, repository.commit(0, round(period)), given)
        seen = found["slower"]
        if not seen or seen[-1] <= 0:
            what = f"calibration saw no slowdown: {found['said']}"
            raise Failure(what, "run it on a machine that is quiet")
        wanted = SLOWDOWN if number == len(rounds) - 1 else CALIBRATED_AT
        print(f"calibration: once in {period:.0f} calls is {seen[-1]:.1%} slower", flush=True)
        period = round(period) * seen[-1] / wanted
    return max(1, round(period))


def show(trials: list[dict[str, Any]], console: Any) -> None:
    """Prints how often the gate was right, with the effects that it measured."""
    table = Table(box=None, pad_edge=False)
    for header in ("change", "right", "", "95 % of rates", "measured, first blocks"):
        table.add_column(header)
    for kind, right in (("slower", "regression"), ("moved", "passed")):
        own = [t for t in trials if t["kind"] == kind]
        hits = sum(t["status"] == right for t in own)
        low, high = stats.binomial_interval(hits, len(own))
        effects = sorted(t["slower"][0] for t in own if t["slower"])
        middle = f"{effects[len(effects) // 2]:+.1%}" if effects else "–"
        seen = f"{middle} ({effects[0]:+.1%} to {effects[-1]:+.1%})" if effects else middle
        what = f"{SLOWDOWN:.0%} slower" if kind == "slower" else "moved about"
        word = "caught" if kind == "slower" else "passed"
        table.add_row(what, word, f"{hits} of {len(own)}", f"{low:.0%} to {high:.0%}", seen)
    console.print("", table)


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--app", type=Path, default=Path("sample-apps/parser"))
    parser.add_argument("--hot", default="parse.c:skip_space", help="FILE:FUNCTION of the app")
    parser.add_argument("--runs", type=int, default=20, help="of each kind")
    parser.add_argument("--variant", default="o2-pgo-thin")
    parser.add_argument("--precision", default="1%")
    parser.add_argument("--budget", default="30s")
    parser.add_argument("--metric", default="time")
    args = parser.parse_args(argv)
    os.environ |= COMMITTER
    gate = [f"{s.upper()}={getattr(args, s)}" for s in ("variant", "precision", "budget", "metric")]
    repository = Repository(args.app, args.hot)
    kept = WHERE / "trials.json"
    what = {"app": str(args.app), "hot": args.hot, "gate": gate}
    known = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {"what": what}
    if known["what"] != what:
        raise Failure(f"'{WHERE}' has trials of other settings", f"finish them, or: rm -r {WHERE}")
    if "period" not in known:
        known |= {"period": calibrated(repository, gate, args.metric == "instructions")}
        known |= {"trials": []}
        files.write_text(kept, json.dumps(known, indent=1) + "\n")
    trials = known["trials"]
    console = terminal.console()
    for number in range(1, args.runs + 1):
        base = repository.commit(number)
        slower = repository.commit(number, known["period"])
        moved = repository.commit(number, moved=True)
        for kind, new in (("slower", slower), ("moved", moved)):
            if any((t["kind"], t["trial"]) == (kind, number) for t in trials):
                continue
            found = run_gate(repository.app, base, new, gate)
            trials.append({"kind": kind, "trial": number, **found})
            files.write_text(kept, json.dumps(known, indent=1) + "\n")
            console.print(f"{number:3} {kind:6} {found['said']}", soft_wrap=True)
        for name in (base, slower, moved):
            shutil.rmtree(sides.PLACES / name[:12], ignore_errors=True)
    done = [t for t in trials if t["trial"] <= args.runs]
    console.print(f"\n{words.plural(args.runs, 'trial')} of {args.app.name}: {' '.join(gate)}")
    show(done, console)
    return 0


if __name__ == "__main__":
    errors.run(main)
