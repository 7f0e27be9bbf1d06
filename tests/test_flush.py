"""However a program ends, what it counted arrives, and the end looks the same from outside."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import LLVM, ROOT, Project, copy_project, counters

ENDS = ROOT / "tests" / "fixtures" / "ends"
TRAIN = ("train", "APP=apps/ends", "VARIANTS=o2-pgo")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The program `ends`, trained by the forking server."""
    made = copy_project(tmp_path_factory.mktemp("flush") / "pgolab")
    shutil.copytree(ENDS, made.root / "apps/ends")
    made.ok(*TRAIN)
    return made


def program(trained: Project) -> Path:
    return trained.root / "build/ends/pgo-train/ends"


def counts(profiles: list[Path], function: str) -> list[int]:
    """The counters of a function in each of the profiles, the largest of them, in order."""
    return sorted(max(counters(profile, function)) for profile in profiles)


def environment(directory: Path, name: str = "%m_%p.profraw") -> dict[str, str]:
    """Where the profiles of a run go, and the marks of the processes that have not written one."""
    (directory / "processes").mkdir()
    return {
        "LLVM_PROFILE_FILE": str(directory / name),
        "PGOLAB_PROCESSES": str(directory / "processes"),
        "PATH": "/usr/bin:/bin",
    }


def notes(directory: Path) -> list[str]:
    """What the runtime noted of each process."""
    return [path.read_text() for path in (directory / "processes").iterdir()]


def lost(directory: Path) -> int:
    return sum(not note.startswith("w") for note in notes(directory))


def written(directory: Path) -> list[Path]:
    return sorted(path for path in directory.glob("*.profraw") if path.stat().st_size)


def wait_for(profiles: int, directory: Path) -> list[Path]:
    """The raw profiles, once all processes have written theirs."""
    for _ in range(100):
        found = written(directory)
        if len(found) >= profiles and not lost(directory):
            break
        time.sleep(0.05)
    return found


@pytest.mark.parametrize("how, expected", [
    ("return", [100]),
    ("exit", [100]),
    ("_exit", [100]),
    ("_Exit", [100]),
    ("quick_exit", [100]),
    ("fork", [1, 1, 1, 10, 10, 10, 100]),
    ("exec", [200]),  # of one process, before exec and after it
    ("failed-exec", [111]),
    ("vfork", [111]),
])  # fmt: skip
def test_every_way_to_end_writes_the_exact_counts_once(
    trained: Project, tmp_path: Path, how: str, expected: list[int]
) -> None:
    done = subprocess.run([program(trained), how], env=environment(tmp_path))
    assert done.returncode == 7
    assert counts(list(tmp_path.glob("*.profraw")), "work") == expected
    assert lost(tmp_path) == 0
    # LLVM's own start-up code would have done for these.
    of_use = any("f" in note for note in notes(tmp_path))
    assert of_use == (how not in ("return", "exit", "vfork"))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("how, profiles", [("user", 1), ("root", 1), ("workers", 3)])
def test_a_program_that_could_not_open_its_profile_in_the_end_writes_it(
    trained: Project, tmp_path: Path, how: str, profiles: int
) -> None:
    tmp_path.chmod(0o700)
    done = subprocess.run([program(trained), how, tmp_path], env=environment(tmp_path))
    assert done.returncode == 7
    assert sum(counts(written(tmp_path), "work")) == 100 + 10 * (profiles - 1)
    assert len(written(tmp_path)) == profiles and lost(tmp_path) == 0
    assert any("f" in note for note in notes(tmp_path))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_what_is_forked_after_becoming_another_user_is_known_to_be_lost(
    trained: Project, tmp_path: Path
) -> None:
    tmp_path.chmod(0o700)
    done = subprocess.run([program(trained), "late-workers"], env=environment(tmp_path))
    assert done.returncode == 7
    assert counts(written(tmp_path), "work") == [100]
    assert notes(tmp_path) == ["wfl"]


def test_a_program_that_closes_all_files_gets_no_profile_into_its_own(
    trained: Project, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    done = subprocess.run([program(trained), "close", data], env=environment(tmp_path))
    assert done.returncode == 7
    assert data.read_text() == "its own\n" * 1000
    assert counts(written(tmp_path), "work") == [100] and lost(tmp_path) == 0


def test_a_daemon_and_the_process_that_it_left_count_each_for_itself(
    trained: Project, tmp_path: Path
) -> None:
    done = subprocess.run([program(trained), "daemon"], env=environment(tmp_path))
    assert done.returncode == 0
    assert counts(wait_for(2, tmp_path), "work") == [11, 100]


def start(trained: Project, tmp_path: Path, how: str, **more: str) -> subprocess.Popen[str]:
    """Starts the program and waits until it says that it is ready."""
    process = subprocess.Popen(
        [program(trained), how], env=environment(tmp_path) | more, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("how, sent, status", [
    ("wait", signal.SIGTERM, -signal.SIGTERM),
    ("wait", signal.SIGINT, -signal.SIGINT),
    ("wait", signal.SIGHUP, -signal.SIGHUP),
    ("wait", signal.SIGUSR1, -signal.SIGUSR1),
    ("clean-up", signal.SIGTERM, -signal.SIGTERM),  # its own handler, then the default
    ("leave", signal.SIGTERM, 0),  # its own handler, which exits
])  # fmt: skip
def test_a_signal_ends_the_program_as_before_and_the_counts_arrive(
    trained: Project, tmp_path: Path, how: str, sent: int, status: int
) -> None:
    with start(trained, tmp_path, how) as process:
        process.send_signal(sent)
    assert process.returncode == status
    assert counts(list(tmp_path.glob("*.profraw")), "work") == [100]
    assert lost(tmp_path) == 0


def test_a_signal_that_was_ignored_from_the_start_stays_ignored(
    trained: Project, tmp_path: Path
) -> None:
    command = ["nohup", str(program(trained)), "wait"]
    with subprocess.Popen(
        command, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout and process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.2)
        process.terminate()
    assert process.returncode == -signal.SIGTERM


def test_sigkill_leaves_no_profile_and_the_mark_of_a_loss(trained: Project, tmp_path: Path) -> None:
    with start(trained, tmp_path, "wait") as process:
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert written(tmp_path) == []
    assert lost(tmp_path) == 1


def test_where_calls_led_is_recorded_too(trained: Project, tmp_path: Path) -> None:
    subprocess.run([program(trained), "_exit"], env=environment(tmp_path))
    profile = next(tmp_path.glob("*.profraw"))
    shown = subprocess.run(
        [LLVM / "llvm-profdata", "show", "--function=call", "--ic-targets", profile],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert re.search(r"\[\s*0, main.c;work,\s+1 \]", shown), shown


def test_a_write_that_hangs_ends_by_the_signal_all_the_same(
    trained: Project, tmp_path: Path
) -> None:
    """The profile's name leads to a FIFO that nobody reads, so writing it never ends."""
    (tmp_path / "fifo").mkdir()
    with start(trained, tmp_path, "wait", LLVM_PROFILE_FILE=str(tmp_path / "fifo/p")) as process:
        (tmp_path / "fifo/p").unlink(missing_ok=True)
        os.mkfifo(tmp_path / "fifo/p")
        process.terminate()
    assert process.returncode == -signal.SIGTERM
    assert lost(tmp_path) == 1


TRACES = "--temporal-profile-traces"


@pytest.mark.parametrize("variant, key, kind, arrived", [
    ("o2-cspgo-thin", "o2-cspgo-thin", "--showcs", r"Total count: [1-9]"),
    ("o2-cspgo-full", "o2-cspgo-full", "--showcs", r"Total count: [1-9]"),
    ("o2-pgo-startup", "startup", TRACES, r"Temporal Profile Traces \(samples=4 seen=4\)"),
])  # fmt: skip
def test_context_sensitive_and_temporal_profiles_of_a_server_arrive(
    trained: Project, variant: str, key: str, kind: str, arrived: str
) -> None:
    trained.ok("train", "APP=apps/ends", f"VARIANTS={variant}")
    shown = subprocess.run(
        [LLVM / "llvm-profdata", "show", kind, "--all-functions",
         trained.root / f"profiles/ends/{key}.profdata"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert re.search(arrived, shown), shown


def test_training_on_a_forking_server_reads_the_profile_of_every_process(trained: Project) -> None:
    noted = json.loads((trained.root / "profiles/ends/pgo.json").read_text())
    assert noted["workloads"]["serve"]["raw_profiles"] == 4
    assert noted["raw_profiles"] == {"read": 4, "dropped": 0, "lost": 0}
    assert noted["flushed"]


STEPS = 4 * 5000000  # in tests/fixtures/race/main.c: threads times steps of each


def steps_counted(project: Project, directory: Path) -> int:
    """How many steps a run of the instrumented program `race` counts."""
    directory.mkdir()
    program = project.root / "build/race/pgo-train/race"
    subprocess.run([program], env=environment(directory), stdout=subprocess.DEVNULL, check=True)
    text = subprocess.run(
        [LLVM / "llvm-profdata", "show", "--function=step", "--counts",
         *directory.glob("*.profraw")],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    found = re.search(r"Maximum function count: (\d+)", text)
    assert found
    return int(found[1])


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="threads race on two CPUs")
@pytest.mark.alone
def test_threads_lose_counts_unless_the_manifest_says_that_there_are_some(
    tmp_path: Path,
) -> None:
    project = copy_project(tmp_path / "pgolab")
    app = project.root / "apps/race"
    shutil.copytree(ROOT / "tests/fixtures/race", app)
    command = ("train", "APP=apps/race", "VARIANTS=o2-pgo")
    project.ok(*command)
    assert steps_counted(project, tmp_path / "atomic") == STEPS
    manifest = (app / "app.mk").read_text()
    (app / "app.mk").write_text(manifest.replace("app.threads := yes\n", ""))
    project.ok(*command)
    assert steps_counted(project, tmp_path / "plain") < STEPS


def test_training_says_that_the_server_was_killed_and_keeps_what_its_children_counted(
    trained: Project,
) -> None:
    manifest = trained.root / "apps/ends/app.mk"
    text = manifest.read_text()
    manifest.write_text(text.replace("$(BIN) TERM", "$(BIN) KILL"))
    done = trained.make(*TRAIN)
    manifest.write_text(text)
    assert done.returncode == 0, done.stderr
    assert "pgolab: 'train.serve': 1 process left no profile" in done.stderr
    noted = json.loads((trained.root / "profiles/ends/pgo.json").read_text())
    assert noted["raw_profiles"] == {"read": 3, "dropped": 0, "lost": 1}
