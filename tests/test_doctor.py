"""scripts/doctor.py: what it says of machines made of files, of tools made of scripts, and here."""
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

import doctor
from doctor import Finding, Place, Tool

SCRIPT = Path(doctor.__file__)
PSTATE = "sys/devices/system/cpu/intel_pstate/no_turbo"
BOOST = "sys/devices/system/cpu/cpufreq/boost"
GOVERNOR = "sys/devices/system/cpu/cpu{}/cpufreq/scaling_governor"
SMT = "sys/devices/system/cpu/smt/active"
ASLR = "proc/sys/kernel/randomize_va_space"
CPU_MAX = "sys/fs/cgroup/box/cpu.max"
CGROUP = "proc/self/cgroup"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    for name in ("bin", "root"):
        (tmp_path / name).mkdir()
    return Place(tmp_path / "bin", tmp_path / "bin/clang", tmp_path, tmp_path / "root")


def write(place: Place, files: dict[str, str]) -> None:
    for name, text in files.items():
        (place.root / name).parent.mkdir(parents=True, exist_ok=True)
        (place.root / name).write_text(text)


def tool(directory: Path, name: str, says: str) -> None:
    (directory / name).write_text(f"#!/bin/sh\necho '{says}'\n")
    (directory / name).chmod(0o755)


@pytest.mark.parametrize("check, files, level, value", [
    (doctor.governor, {GOVERNOR.format(0): "performance\n"}, "ok", "performance"),
    (doctor.governor, {GOVERNOR.format(0): "performance", GOVERNOR.format(1): "powersave"},
     "warning", "performance, powersave"),
    (doctor.governor, {}, "ok", "not visible"),
    (doctor.turbo, {PSTATE: "0\n"}, "warning", "on"),
    (doctor.turbo, {PSTATE: "1\n"}, "ok", "off"),
    (doctor.turbo, {BOOST: "1\n"}, "warning", "on"),
    (doctor.turbo, {BOOST: "0\n"}, "ok", "off"),
    (doctor.turbo, {}, "ok", "not visible"),
    (doctor.smt, {SMT: "1\n"}, "warning", "on"),
    (doctor.smt, {SMT: "0\n"}, "ok", "off"),
    (doctor.aslr, {ASLR: "2\n"}, "ok", "on"),
    (doctor.aslr, {ASLR: "0\n"}, "warning", "off"),
    (doctor.aslr, {}, "ok", "not visible"),
    (doctor.load, {"proc/loadavg": "99.5 0.1 0.1 1/99 1234"}, "warning", "99.5 0.1 0.1"),
    (doctor.load, {"proc/loadavg": "0.00 99.5 0.1 1/99 1234"}, "ok", "0.00"),
    (doctor.memory, {"proc/meminfo": "MemTotal: 9 kB\nMemAvailable:  876562 kB"}, "warning", "0.9"),
    (doctor.memory, {"proc/meminfo": "MemTotal: 9 kB\nMemAvailable: 9765625 kB"}, "ok", "10.0 GB"),
    (doctor.memory, {}, "ok", "not visible"),
    (doctor.cpus, {CGROUP: "0::/box\n", CPU_MAX: "50000 100000"}, "warning", "quota 0.5"),
    (doctor.cpus, {CGROUP: "0::/box\n", CPU_MAX: "max 100000"}, "ok", "usable"),
    (doctor.virtualization, {"proc/cpuinfo": "flags\t\t: fpu hypervisor lahf_lm"}, "warning",
     "virtual machine"),
    (doctor.virtualization, {"proc/cpuinfo": "flags\t\t: fpu lahf_lm", ".dockerenv": ""}, "ok",
     "container in a physical machine"),
    (doctor.virtualization, {"proc/cpuinfo": "Features: fp asimd"}, "ok", "machine, kind unknown"),
])
def test_a_machine_is_read_from_its_files(place: Place, check: doctor.Check,
                                          files: dict[str, str], level: str, value: str) -> None:
    write(place, files)
    finding = check(place)
    assert (finding.level, value in finding.value) == (level, True), finding
    assert (finding.remedy == "") == (level == "ok")


@pytest.mark.parametrize("end, busy, steal", [
    ([0, 0, 0, 200, 0, 0, 0, 0], "ok", "ok"),
    ([50, 0, 0, 150, 0, 0, 0, 0], "warning", "ok"),
    ([0, 0, 0, 100, 100, 0, 0, 0], "ok", "ok"),
    ([0, 0, 0, 190, 0, 0, 0, 10], "ok", "warning"),
], ids=["idle", "busy", "waiting for a disk", "stolen"])
def test_a_sample_tells_foreign_work_from_stolen_time(
        place: Place, monkeypatch: pytest.MonkeyPatch, end: list[int], busy: str,
        steal: str) -> None:
    start = [1000, 0, 0, 99_000, 0, 0, 0, 0]
    after = [before + more for before, more in zip(start, end)]
    monkeypatch.setattr(doctor, "ticks", lambda place: (start, after))
    assert doctor.busy(place).level == busy
    assert doctor.steal(place).level == steal


def test_a_machine_without_proc_stat_is_not_called_idle(place: Place) -> None:
    assert "not visible" in doctor.busy(place).value
    assert "not visible" in doctor.steal(place).value


def test_a_tool_of_clangs_release_is_fine(place: Place) -> None:
    tool(place.llvm_bin, "clang", "Debian clang version 22.1.8 (1~deb12)")
    tool(place.llvm_bin, "ld.lld", "Debian LLD 22.1.8 (compatible with GNU linkers)")
    assert doctor.clang(place).level == "ok"
    assert doctor.llvm_tool(place, "ld.lld").level == "ok"


def test_a_tool_of_another_release_is_an_error(place: Place) -> None:
    tool(place.llvm_bin, "clang", "clang version 22.1.8")
    tool(place.llvm_bin, "llvm-bolt", "LLVM version 19.1.7")
    finding = doctor.llvm_tool(place, "llvm-bolt")
    assert finding.level == "error" and "clang is 22.1.8" in finding.value


def test_a_clang_from_another_directory_is_an_error(place: Place, tmp_path: Path) -> None:
    tool(tmp_path, "clang-14", "clang version 14.0.6")
    place.clang.symlink_to(tmp_path / "clang-14")
    assert doctor.clang(place).level == "error"


def test_an_older_clang_is_a_warning(place: Place) -> None:
    tool(place.llvm_bin, "clang", "clang version 19.1.7")
    assert doctor.clang(place).level == "warning"


@pytest.mark.parametrize("name, level", [("llvm-profdata", "error"), ("llvm-bolt", "warning")])
def test_a_missing_tool_says_what_needs_it(place: Place, name: str, level: str) -> None:
    finding = doctor.llvm_tool(place, name)
    assert (finding.level, finding.value) == (level, f"'{place.llvm_bin / name}' is missing")
    assert finding.remedy == f"{doctor.SETUP}: {doctor.LLVM_TOOLS[name][1]}"


def test_a_tool_that_crashes_is_not_called_missing(place: Place) -> None:
    (place.llvm_bin / "ld.lld").write_text("not a program")
    assert "tells no version" in doctor.llvm_tool(place, "ld.lld").value


@pytest.mark.parametrize("says, level", [
    ("hyperfine 1.15.0", "ok"), ("hyperfine 1.12.0", "error"), ("hyperfine 1.9", "error")])
def test_a_program_that_is_too_old_is_an_error(place: Place, monkeypatch: pytest.MonkeyPatch,
                                               says: str, level: str) -> None:
    tool(place.llvm_bin, "hyperfine", says)
    monkeypatch.setenv("PATH", str(place.llvm_bin), prepend=os.pathsep)
    assert doctor.program(place, Tool("hyperfine", "error", "", (1, 13))).level == level


def test_a_time_that_is_not_gnu_time_is_an_error(place: Place,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    tool(place.llvm_bin, "time", "BusyBox v1.35.0")
    monkeypatch.setenv("PATH", str(place.llvm_bin), prepend=os.pathsep)
    finding = doctor.program(place, Tool("time", "error", "", says="GNU"))
    assert finding.level == "error" and "is not GNU" in finding.value


def test_an_optional_program_that_is_absent_is_no_warning(place: Place) -> None:
    finding = doctor.program(place, Tool("no-such-program", "ok", "only this needs it"))
    assert finding == Finding("ok", "no-such-program", "not installed: only this needs it")


def test_a_missing_module_is_named(place: Place) -> None:
    finding = doctor.modules(place, ["rich", "no-such-module"], "error", "running")
    assert (finding.level, finding.value) == ("error", "missing: no-such-module")


def test_a_trial_that_fails_shows_the_step_and_the_reason(place: Place) -> None:
    (place.clang).write_text("#!/bin/sh\necho 'no profile runtime' >&2\nexit 1\n")
    place.clang.chmod(0o755)
    finding = doctor.profiles(place)
    assert finding.level == "error"
    assert finding.value.startswith(f"`{place.clang} -O2 ")
    assert finding.value.endswith("failed: no profile runtime")


@pytest.mark.parametrize("number, value", [(errno.EACCES, "not permitted"),
                                           (errno.EPERM, "not permitted"),
                                           (errno.ENOENT, "none"), (errno.EOPNOTSUPP, "none")])
def test_refused_counters_are_told_from_absent_ones(place: Place, number: int, value: str,
                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(branches: bool) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(doctor, "perf_event", refuse)
    finding = doctor.counter(place, "counters", branches=False)
    assert (finding.level, finding.value) == ("warning", value)


@pytest.mark.parametrize("count, level", [(0, "warning"), (12_345, "ok")])
def test_a_counter_that_counts_nothing_is_none(place: Place, tmp_path: Path, count: int, level: str,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "counter").write_bytes(count.to_bytes(8, sys.byteorder))
    monkeypatch.setattr(doctor, "perf_event",
                        lambda branches: os.open(tmp_path / "counter", os.O_RDONLY))
    assert doctor.counter(place, "counters", branches=False).level == level


LONG = Finding("warning", "llvm-profgen", "22.1.8   /a/rather/long/path/" + "x" * 90, "words " * 30)


def test_a_pipe_gets_one_unbroken_line_for_a_value(capsys: pytest.CaptureFixture[str]) -> None:
    doctor.show(Console(), LONG)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 2
    assert LONG.value.split()[-1] in printed[0] and printed[1].lstrip().startswith("remedy: words")


def test_a_terminal_gets_lines_that_fit_and_paths_that_are_whole(
        capsys: pytest.CaptureFixture[str]) -> None:
    doctor.show(Console(force_terminal=True, width=80, color_system=None), LONG)
    printed = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 80 for line in printed if "/a/rather" not in line)
    assert any(line.endswith("x" * 90) for line in printed)


@pytest.mark.parametrize("levels, status, closing", [
    (["ok", "ok"], 0, "doctor: no errors, no warnings"),
    (["ok", "warning"], 0, "doctor: no errors, 1 warning"),
    (["error", "warning", "error"], 1, "doctor: 2 errors, 1 warning"),
])
def test_only_errors_fail(levels: list[doctor.Level], status: int, closing: str,
                          monkeypatch: pytest.MonkeyPatch,
                          capsys: pytest.CaptureFixture[str]) -> None:
    findings = iter([Finding(level, "x", "y") for level in levels])
    monkeypatch.setattr(doctor, "SECTIONS", {"all": [lambda place: next(findings)] * len(levels)})
    assert doctor.main(["--llvm-bin", "/b", "--clang", "/b/clang"]) == status
    assert capsys.readouterr().out.splitlines()[-1] == closing


def test_a_machine_without_llvm_gets_errors_and_no_traceback(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, SCRIPT, "--llvm-bin"], env={"PATH": str(tmp_path)},
                          capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr == ""
    assert "  error    clang           '/clang' does not run\n" in done.stdout
    assert "  error    make            not installed: it drives every build\n" in done.stdout
    assert "ld.lld" not in done.stdout
