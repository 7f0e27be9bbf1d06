"""Measuring for real: what a run records, in which order, and what it leaves when it is killed.

Nothing here judges a speed: this machine may be busy. Where a table is needed, what the machine
did is taken out of the recorded samples first.
"""

import csv
import fcntl
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import termios
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import Project, copy_project

APP = "APP=apps/tiny"
SHORT = ("BUDGET=1s", "LAYOUTS=2")
PGO = ("pgo", APP, "BUDGET=4s", "PRECISION=20%", "LAYOUTS=4")
RUN_ID = r"\d{8}-\d{6}-[a-z]+"


def rows(run: Path, name: str = "samples.csv") -> list[dict[str, str]]:
    with (run / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def quieten(run: Path) -> None:
    """Takes the disturbances out of a run's samples, so that all blocks count."""
    table = rows(run)
    with (run / "samples.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(row | {"steal_s": "0", "foreign_s": "0"} for row in table)


def measured(project: Project, *arguments: str) -> Path:
    """The run directory of a make that measures."""
    output = project.ok(*arguments)
    found = re.findall(rf"results/{RUN_ID}", output)
    assert found, output
    return project.root / found[-1]


@pytest.fixture(scope="module")
def project_with_runs(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which `make pgo` has measured the tiny app once."""
    made = copy_project(tmp_path_factory.mktemp("measure") / "pgolab")
    made.app()
    made.ok(*PGO)
    return made


@pytest.fixture(scope="module")
def run(project_with_runs: Project) -> Path:
    """The directory of that run."""
    (found,) = (p for p in (project_with_runs.root / "results").iterdir() if not p.is_symlink())
    return found


def test_a_run_directory_is_complete(run: Path) -> None:
    assert re.fullmatch(RUN_ID, run.name)
    names = {p.name for p in run.iterdir()}
    assert names >= {"run.json", "samples.csv", "metrics.csv", "summary.json"}
    assert not [name for name in names if name.endswith(".tmp")]


def test_latest_leads_to_the_newest_run(project_with_runs: Project, run: Path) -> None:
    newer = measured(project_with_runs, "lto", APP, *SHORT)
    assert newer != run
    assert (project_with_runs.root / "results/latest").resolve() == newer
    assert json.loads((newer / "run.json").read_text())["apps"]["tiny"]["variants"].keys() == {
        "o2", "o2-thin", "o2-full"
    }  # fmt: skip


def test_run_json_says_how_it_was_measured_and_on_what(project: Project) -> None:
    run = measured(project, "pgo", APP, "BUDGET=1s", "PRECISION=20%", "LAYOUTS=4")
    facts = json.loads((run / "run.json").read_text())
    assert facts["schema"] == "pgolab.run/1"
    assert facts["run"] == run.name
    wanted = {"baseline": "o2", "precision": 0.2, "budget_s": 1.0, "layouts": 4, "aslr": True}
    assert wanted.items() <= facts["settings"].items()
    assert facts["toolchain"]["clang_version"] and facts["machine"]["processor"]
    tiny = facts["apps"]["tiny"]
    for variant, binary in tiny["variants"].items():
        built = project.root / "build/tiny" / variant
        hashes = [_sha256(built / "tiny")]
        hashes += [_sha256(built / f"layouts/{n}/tiny") for n in range(1, 4)]
        assert binary["layouts"] == hashes
        assert binary["sha256"] == hashes[0]
        assert binary["file_bytes"] == (built / "tiny").stat().st_size
        assert binary["sections"][".text"] >= binary["hot_text_bytes"] > 0
        assert binary["build_cpu_s"] > 0 and binary["build_peak_rss_bytes"] > 0
    profile = project.root / "profiles/tiny/pgo.profdata"
    assert tiny["variants"]["o2-pgo"]["profiles"] == ["pgo"]
    assert tiny["profiles"]["pgo"]["sha256"] == _sha256(profile)


def _sha256(path: Path) -> str:
    done = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True)
    return done.stdout.split()[0]


def test_every_block_times_each_variant_the_baseline_and_its_copy(run: Path) -> None:
    blocks: dict[int, list[str]] = {}
    for row in rows(run):
        assert (row["app"], row["workload"]) == ("tiny", "steps")
        assert float(row["wall_s"]) > 0 and int(row["max_rss_bytes"]) > 0
        blocks.setdefault(int(row["block"]), []).append(row["variant"])
    assert sorted(blocks) == list(range(len(blocks)))
    for variants in blocks.values():
        assert sorted(variants) == ["A/A", "o2", "o2", "o2-pgo"]


def test_every_variant_stands_at_each_position_equally_often(run: Path) -> None:
    table = rows(run)
    squares = (max(int(r["block"]) for r in table) + 1) // 4
    for square in range(squares):
        for position in range(4):
            there = sorted(
                r["variant"] for r in table
                if int(r["block"]) // 4 == square and int(r["position"]) == position
            )  # fmt: skip
            assert there == ["A/A", "o2", "o2", "o2-pgo"]
    assert squares > 0 or max(int(r["block"]) for r in table) >= 2


def test_each_block_takes_the_next_layout(run: Path) -> None:
    assert {(int(r["block"]) % 4, int(r["layout"])) for r in rows(run)} <= {
        (n, n) for n in range(4)
    }


def test_the_warm_up_block_does_not_count(run: Path) -> None:
    summary = json.loads((run / "summary.json").read_text())["apps"]["tiny"]
    last = max(int(r["block"]) for r in rows(run))
    assert summary["blocks"] + summary["dropped_blocks"] == last


def test_a_run_can_be_reported_again(project_with_runs: Project, run: Path) -> None:
    before = (run / "summary.json").read_bytes()
    (run / "summary.json").unlink()
    project_with_runs.ok("report", f"RUN=results/{run.name}")
    assert (run / "summary.json").read_bytes() == before
    project_with_runs.ok("report", f"RUN={run}")
    assert (run / "summary.json").read_bytes() == before


def test_the_report_is_a_table_of_80_columns_and_a_sentence(project_with_runs: Project) -> None:
    variants = ["o2", "o2-thin", "o2-pgo-full"]
    run = measured(project_with_runs, "report", APP, f"VARIANTS={' '.join(variants)}", *SHORT)
    quieten(run)
    output = project_with_runs.ok("report", f"RUN=results/{run.name}")
    lines = output.splitlines()
    assert max(len(line) for line in lines) <= 80
    for variant in variants:
        assert len([line for line in lines if line.split()[:1] == [variant]]) == 2, output
    assert re.search(r"^tiny: 1 eval workloads?, \d+ blocks", output, re.MULTILINE)
    assert re.search(r"A/A \d+\.\d{3} \[\d+\.\d{3}, \d+\.\d{3}\]", output)
    sentences = re.findall(r"^[A-Z].*", output, re.MULTILINE)
    assert sentences, output


def test_measure_alone_reports_nothing(project_with_runs: Project) -> None:
    output = project_with_runs.ok("measure", APP, "VARIANTS=o2-thin", *SHORT)
    run = project_with_runs.root / output.splitlines()[-1]
    names = {"run.json", "samples.csv", "metrics.csv", "contents.csv"}
    assert {p.name for p in run.iterdir()} == names


ADDRESS = """
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
int main(void)
{
    double start = now();
    volatile unsigned sum = 0;
    for (unsigned i = 0; i < 8000000; i++)
        sum += i;
    char *name = getenv("PGOLAB_METRICS");
    FILE *file = name ? fopen(name, "w") : NULL;
    if (file) {
        const char *line = "{\\"metric\\": \\"%s\\", \\"value\\": %.6f, \\"better\\": \\"%s\\"}\\n";
        fprintf(file, line, "start_s", start, "lower");
        fprintf(file, line, "end_s", now(), "lower");
        fprintf(file, line, "page", (double)((uintptr_t)main / 4096 % 100000 + 1), "higher");
        fclose(file);
    }
    puts("done");
    return 0;
}
"""


def noting(project: Project, name: str = "noting") -> str:
    """An app that tells when it ran and where its code was; how to give it to make."""
    app = project.app(name)
    (app / "step.c").unlink()
    (app / "main.c").write_text(ADDRESS)
    (app / "app.mk").write_text(
        "app.about := tells when it ran\napp.sources := $(app.dir)/main.c\n"
        "app.cflags := -std=gnu11\neval.all = $(BIN)\n"
    )
    return f"APP=apps/{name}"


def values(run: Path, metric: str) -> dict[str, list[float]]:
    """What the timed runs told, per variant; the warm-up among them."""
    found: dict[str, list[float]] = {}
    for row in rows(run, "metrics.csv"):
        if row["metric"] == metric:
            found.setdefault(row["variant"], []).append(float(row["value"]))
    return found


def test_what_a_workload_measures_itself_is_recorded_and_judged(project: Project) -> None:
    run = measured(project, "report", noting(project), "VARIANTS=o3", *SHORT)
    metrics, samples = rows(run, "metrics.csv"), rows(run)
    assert Counter(m["metric"] for m in metrics) == {
        name: len(samples) for name in ("start_s", "end_s", "page")
    }
    place = ("app", "workload", "variant", "block", "position")
    assert {tuple(m[k] for k in place) for m in metrics} == {
        tuple(s[k] for k in place) for s in samples
    }
    quieten(run)
    project.ok("report", f"RUN=results/{run.name}")
    summary = json.loads((run / "summary.json").read_text())["apps"]["noting"]["variants"]
    for variant in ("o2", "o3"):
        judged = summary[variant]["workloads"]["all"]["metrics"]
        assert judged.keys() == {"start_s", "end_s", "page"}
        assert judged["page"]["better"] == "higher"
    assert {"speedup", "interval", "verdict"} <= judged["page"].keys()


@pytest.mark.parametrize("line", [
    "nonsense", "{}", '{\\"metric\\": \\"x\\", \\"value\\": 0, \\"better\\": \\"lower\\"}',
    '{\\"metric\\": \\"x\\", \\"value\\": 1, \\"better\\": \\"best\\"}',
])  # fmt: skip
def test_a_line_that_is_no_metric_is_an_error_that_shows_it(project: Project, line: str) -> None:
    argument = noting(project)
    source = project.root / "apps/noting/main.c"
    text = source.read_text()
    source.write_text(text.replace("        fclose(file);", f'        fputs("{line}", file);\n'
                                   "        fclose(file);"))  # fmt: skip
    said = project.error("measure", argument, "VARIANTS=o3", *SHORT)
    assert "'eval.all' wrote a line to $PGOLAB_METRICS that is no metric" in said
    assert line.replace("\\", "") in said
    assert not [p for p in (project.root / "results").iterdir() if not p.name.startswith(".")]


@pytest.mark.parametrize("aslr", ["no", "yes"])
def test_aslr_no_puts_a_program_at_one_place(project: Project, aslr: str) -> None:
    if Path("/proc/sys/kernel/randomize_va_space").read_text().strip() == "0":
        pytest.skip("this machine does not randomize at all")
    argument = noting(project)
    run = measured(project, "measure", argument, "VARIANTS=o3", "BUDGET=1s", "LAYOUTS=1",
                   f"ASLR={aslr}")  # fmt: skip
    places = [len(set(pages)) for pages in values(run, "page").values()]
    assert len(places) == 3
    assert (max(places) == 1) if aslr == "no" else (min(places) > 1)


@pytest.mark.alone
def test_two_runs_at_once_do_not_time_at_once(new_project: Callable[[str], Project]) -> None:
    clones = [new_project(name) for name in ("one", "other")]
    # Long enough to meet even where one starts a second after the other.
    settings = ("VARIANTS=o3", "LAYOUTS=2", "BUDGET=4s", "PRECISION=0.01%")
    command = ["make", "measure", *(noting(c) for c in clones[:1]), *settings]
    noting(clones[1])
    for clone in clones:
        clone.ok("verify", *command[2:])
    together = [subprocess.Popen(command, cwd=clone.root, stdout=subprocess.PIPE, text=True)
                for clone in clones]  # fmt: skip
    blocks = []
    for clone, make in zip(clones, together):
        output = make.communicate()[0]
        assert make.returncode == 0
        run = clone.root / output.splitlines()[-1]
        times: dict[str, list[float]] = {}
        for row in rows(run, "metrics.csv"):
            if row["metric"] != "page":
                times.setdefault(row["block"], []).append(float(row["value"]))
        blocks.append([(min(t), max(t)) for t in times.values()])
    first, second = ((min(b)[0], max(b)[1]) for b in blocks)
    assert max(first[0], second[0]) < min(first[1], second[1]), "the runs did not meet"
    for start, end in blocks[0]:
        assert all(e <= start or end <= s for s, e in blocks[1])


LONG = ("BUDGET=12s", "LAYOUTS=2", "PRECISION=0.01%")


def hidden(project: Project) -> list[Path]:
    return list((project.root / "results").glob(".*/samples.csv"))


def visible(project: Project) -> list[str]:
    return sorted(p.name for p in (project.root / "results").iterdir() if p.name[0] != ".")


def kill_in_a_block(project: Project, blocks: int, *command: str) -> list[str]:
    """Kills a make in the middle of measuring; the lines of samples.csv that it left."""
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        ["make", *command], cwd=project.root, start_new_session=True, stdout=quiet, stderr=quiet
    ) as make:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and make.poll() is None:
            if any(f"steps,A/A,1,{blocks}," in p.read_text() or f"steps,A/A,0,{blocks}," in
                   p.read_text() for p in hidden(project)):  # fmt: skip
                break
            time.sleep(0.02)
        assert make.poll() is None
        os.killpg(make.pid, signal.SIGKILL)
    (left,) = hidden(project)
    return left.read_text().splitlines()


def complete(lines: list[str]) -> list[str]:
    """The lines of the blocks that are complete: the header, and five timings a block."""
    table = list(csv.DictReader(lines))
    count = Counter(row["block"] for row in table)
    return [lines[0], *(line for line, row in zip(lines[1:], table) if count[row["block"]] == 5)]


@pytest.mark.alone
@pytest.mark.parametrize("race", ["RACE=no", "RACE=yes"])
def test_the_same_command_goes_on_after_each_kill_and_loses_no_block(
    project: Project, race: str
) -> None:
    command = ("report", APP, "VARIANTS=o3 os", *LONG, race)
    project.ok("verify", APP, "VARIANTS=o3 os", *LONG)
    kept: list[str] = []
    for blocks in (1, 2, 4):
        lines = kill_in_a_block(project, blocks, *command)
        assert visible(project) == []
        assert complete(lines)[: len(kept)] == kept
        kept = complete(lines)
    done = project.make(*command)
    assert done.returncode == 0, done.stderr
    assert re.search(r"going on with results/\.\S+: \d+ blocks of tiny are there", done.stderr)
    (name, latest) = visible(project)
    assert latest == "latest" and not hidden(project)
    run = project.root / "results" / name
    assert (run / "samples.csv").read_text().splitlines()[: len(kept)] == kept
    blocks_of = [int(row["block"]) for row in rows(run)]
    assert sorted(set(blocks_of)) == list(range(max(blocks_of) + 1))
    facts = json.loads((run / "run.json").read_text())
    assert len(facts["resumed"]) == 3
    measured_s = sum({r["block"]: float(r["block_s"]) for r in rows(run)}.values())
    # Half of the budget, where others disturb most blocks.
    assert 0.4 * 12 <= measured_s + facts["apps"]["tiny"]["scaling_s"] <= 12
    assert (run / "summary.json").is_file()


def test_finished_apps_of_a_matrix_are_not_measured_again(project: Project) -> None:
    shutil.copytree(project.root / "apps/tiny", project.root / "sample-apps/first")
    shutil.copytree(project.root / "apps/tiny", project.root / "sample-apps/second")
    command = ("matrix", "APPS=first second", "VARIANTS=o3", "BUDGET=2s", "LAYOUTS=2")
    project.ok("verify", "APP=first", *command[2:])
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        ["make", *command], cwd=project.root, start_new_session=True, stdout=quiet, stderr=quiet
    ) as make:
        while make.poll() is None and not any("second," in p.read_text() for p in hidden(project)):
            time.sleep(0.02)
        assert make.poll() is None
        os.killpg(make.pid, signal.SIGKILL)
    (left,) = hidden(project)
    first = [line for line in left.read_text().splitlines() if line.startswith("first,")]
    project.ok(*command)
    run = (project.root / "results/latest").resolve()
    lines = (run / "samples.csv").read_text().splitlines()
    assert [line for line in lines if line.startswith("first,")] == first
    facts = json.loads((run / "run.json").read_text())
    assert facts["apps"].keys() == {"first", "second"}


def test_other_work_leaves_an_unfinished_run_alone_and_does_not_go_on_with_it(
    project: Project
) -> None:
    project.ok("verify", APP, "VARIANTS=o3 os", *LONG)
    kill_in_a_block(project, 2, "report", APP, "VARIANTS=o3 os", *LONG)
    (left,) = (p.parent for p in hidden(project))
    lines = (left / "samples.csv").read_text()
    for changed in (["VARIANTS=o3", *SHORT], ["VARIANTS=o3 os", *SHORT]):
        done = project.make("measure", APP, *changed)
        assert done.returncode == 0 and "going on" not in done.stderr
    assert (left / "samples.csv").read_text() == lines
    assert not (left / "bench").exists()
    (project.root / "apps/tiny/eval.txt").write_text("7 20000\n")
    work = project.make("measure", APP, "VARIANTS=o3 os", *LONG[1:], "BUDGET=1s")
    assert "going on" not in work.stderr


def test_a_run_whose_report_was_interrupted_is_reported_and_not_measured_again(
    project: Project
) -> None:
    command = ("report", APP, "VARIANTS=o3", *SHORT)
    run = project.root / project.ok("measure", *command[1:]).splitlines()[-1]
    done = project.make(*command)
    assert f"going on with results/{run.name}: all blocks are there" in done.stderr
    assert visible(project) == [run.name, "latest"] and (run / "summary.json").is_file()
    assert "going on" not in project.make(*command).stderr


def test_what_a_process_left_that_died_before_it_measured_is_removed(project: Project) -> None:
    project.ok("verify", APP, "VARIANTS=o3", *SHORT)
    results = project.root / "results"
    (results / ".broken").mkdir()
    (results / ".broken/run.json").write_text("{")
    (results / ".broken/samples.csv").write_text("app,workl")
    measured(project, "report", APP, "VARIANTS=o3", *SHORT)
    assert not (results / ".broken").exists()


def test_ctrl_c_on_a_terminal_leaves_it_clean_and_the_run_to_go_on_with(project: Project) -> None:
    command = ["make", "report", APP, "VARIANTS=o3 os", *LONG]
    project.ok("verify", *command[2:])
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(project.root)
        os.execvp("make", command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    shown = b""
    while b"left" not in shown:
        shown += os.read(terminal, 4096)
    os.write(terminal, b"\x03")
    with suppress(OSError):  # the end of a terminal's output
        while chunk := os.read(terminal, 4096):
            shown += chunk
    assert os.waitpid(pid, 0)[1] != 0
    os.close(terminal)
    text = shown.decode()
    assert re.search(r"half-width .target 0\.0%", text) and re.search(r"at most \d+ s left", text)
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    assert "Traceback" not in text
    assert len(hidden(project)) == 1


def test_a_program_that_fails_while_it_is_timed_ends_the_run(project: Project) -> None:
    argument = noting(project)
    source = project.root / "apps/noting/main.c"
    # hyperfine leaves this file, so that no run fails before the second time it is called.
    fail = 'puts("done");\n    if (access("hyperfine.json", F_OK) == 0)\n        return 9;'
    text = source.read_text().replace('puts("done");', fail)
    source.write_text(f"#include <unistd.h>\n{text}")
    said = project.error("measure", argument, "VARIANTS=o3", *SHORT)
    assert "'hyperfine' ended with status" in said
    assert [p for p in (project.root / "results").iterdir() if not p.name.startswith(".")] == []
