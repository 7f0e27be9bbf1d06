"""Tests of nbody: against a reference of 50 digits, and of one build against another."""

import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from decimal import Decimal, getcontext

import pytest

APP = pathlib.Path(__file__).resolve().parent.parent
SOURCES = sorted(APP.glob("*.c"))
STRICT = "-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror".split()
SANITIZED = "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all".split()
TOLERANCE = Decimal("1e-9")

getcontext().prec = 50


def manifest(pattern: str) -> dict[str, str]:
    """The keys of app.mk that match, with their values."""
    lines = re.findall(r"^([a-z.]+) *:?= *(.*)$", (APP / "app.mk").read_text(), re.MULTILINE)
    return {key: value for key, value in lines if re.fullmatch(pattern, key)}


CFLAGS = manifest(r"app\.cflags")["app.cflags"].split()
WORKLOADS = {
    key: value.replace("$(SCALE)", "1").split()[1:]
    for key, value in manifest(r"(train|eval)\.[a-z]+").items()
}


def find_clang() -> str:
    """$CLANG, or the newest that is installed."""
    if "CLANG" in os.environ:
        return os.environ["CLANG"]
    by_version = sorted(
        pathlib.Path("/usr/lib").glob("llvm-*/bin/clang"),
        key=lambda path: int(path.parts[3].removeprefix("llvm-")),
    )
    found = shutil.which("clang-22") or (str(by_version[-1]) if by_version else None)
    assert found is not None, "no clang: install clang-22 or set CLANG"
    return found


def build(output: pathlib.Path, *flags: str, compiler: str | None = None) -> pathlib.Path:
    """Compile with the manifest's flags and without a warning."""
    command = [compiler or find_clang(), *CFLAGS, *STRICT, *flags, *map(str, SOURCES)]
    subprocess.run([*command, "-o", output, "-lm"], check=True)
    return output


@pytest.fixture(scope="session")
def nbody(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The program with sanitizers."""
    return build(tmp_path_factory.mktemp("sanitized") / "nbody", *SANITIZED)


@pytest.fixture(scope="session")
def optimized(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The program as it is used."""
    return build(tmp_path_factory.mktemp("optimized") / "nbody", "-O2")


@pytest.fixture(scope="session")
def profile(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A profile of the train workloads."""
    directory = tmp_path_factory.mktemp("profile")
    program = build(directory / "nbody", "-O2", "-fprofile-generate")
    for name in (name for name in WORKLOADS if name.startswith("train.")):
        environment = {**os.environ, "LLVM_PROFILE_FILE": str(directory / f"{name}.profraw")}
        subprocess.run([program, *WORKLOADS[name]], env=environment, check=True)
    clang = shutil.which(find_clang())
    assert clang is not None, f"no {find_clang()}"
    profdata = pathlib.Path(clang).resolve().parent / "llvm-profdata"
    output = directory / "nbody.profdata"
    subprocess.run([profdata, "merge", "-o", output, *directory.glob("*.profraw")], check=True)
    return output


@dataclasses.dataclass(frozen=True)
class Result:
    """What a run left."""

    status: int
    out: str
    err: str


def run(program: pathlib.Path, *arguments: object) -> Result:
    """Run the program."""
    done = subprocess.run(
        [program, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    return Result(done.returncode, done.stdout, done.stderr)


def values(
    program: pathlib.Path, kernel: str, size: int, steps: int, seed: int
) -> dict[str, Decimal]:
    """What a run prints between the first line and the digest, by name."""
    result = run(program, kernel, "--size", size, "--steps", steps, "--seed", seed)
    assert (result.status, result.err) == (0, "")
    first, *lines, last = result.out.splitlines()
    assert first == f"{kernel} size {size} steps {steps} seed {seed}"
    assert re.fullmatch("digest [0-9a-f]{16}", last)
    return {name: Decimal(value) for name, value in map(str.split, lines)}


def splitmix64(seed: int) -> Iterator[int]:
    """Random numbers of 64 bits."""
    mask = 2**64 - 1
    while True:
        seed = (seed + 0x9E3779B97F4A7C15) & mask
        z = (seed ^ seed >> 30) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
        yield z ^ z >> 31


class Random:
    """Uniform numbers: doubles as the program makes them, with exactly their value."""

    def __init__(self, seed: int) -> None:
        self.bits = splitmix64(seed)

    def take(self, count: int, low: float, width: float) -> list[Decimal]:
        """The next count numbers from low to low + width."""
        numbers = [low + width * ((next(self.bits) >> 11) / 2**53) for _ in range(count)]
        return [Decimal(number) for number in numbers]


def samples(size: int) -> list[int]:
    """Up to eight places, evenly spread."""
    count = min(size, 8)
    return [n * size // count for n in range(count)]


Vector = list[Decimal]


def accelerations(masses: Vector, positions: list[Vector]) -> list[Vector]:
    """Of each body, by all others."""
    result = []
    for at in positions:
        total = [Decimal(0)] * 3
        for mass, other in zip(masses, positions):
            away = [b - a for a, b in zip(at, other)]
            distance = (sum(d * d for d in away) + Decimal("0.0625")).sqrt()
            total = [t + mass * d / distance**3 for t, d in zip(total, away)]
        result.append(total)
    return result


def potential(masses: Vector, positions: list[Vector]) -> Decimal:
    """The energy of all pairs."""
    energy = Decimal(0)
    for i, at in enumerate(positions):
        for mass, other in zip(masses[:i], positions):
            square = sum((a - b) ** 2 for a, b in zip(at, other)) + Decimal("0.0625")
            energy -= masses[i] * mass / square.sqrt()
    return energy


def expected_bodies(size: int, steps: int, seed: int) -> dict[str, Decimal]:
    """The leapfrog method with positions between the velocities: once shifted by half a
    step, they take turns."""
    rng, step = Random(seed), 1 / Decimal(128)
    masses = [m / size for m in rng.take(size, 0.5, 1)]
    positions = [list(v) for v in zip(*(rng.take(size, -1, 2) for _ in "xyz"))]
    velocities = [list(v) for v in zip(*(rng.take(size, -0.5, 1) for _ in "xyz"))]

    def kick(by: Decimal) -> None:
        for velocity, acceleration in zip(velocities, accelerations(masses, positions)):
            velocity[:] = [v + by * a for v, a in zip(velocity, acceleration)]

    kick(step / 2)
    for _ in range(steps):
        for position, velocity in zip(positions, velocities):
            position[:] = [p + step * v for p, v in zip(position, velocity)]
        kick(step)
    kick(-step / 2)
    kinetic = sum(m * sum(c * c for c in v) / 2 for m, v in zip(masses, velocities))
    found = {"kinetic": Decimal(kinetic), "potential": potential(masses, positions)}
    for i in samples(size):
        for name, vectors in (("position", positions), ("velocity", velocities)):
            for letter, coordinate in zip("xyz", vectors[i]):
                found[f"{name}[{i}].{letter}"] = coordinate
    return found


def expected_stencil(size: int, steps: int, seed: int) -> dict[str, Decimal]:
    """Jacobi's method: each inner point becomes what solves its own equation."""
    rng, side = Random(seed), size + 2
    source = [rng.take(side, -1, 2) for _ in range(side)]
    grid = [rng.take(side, 0, 1) for _ in range(side)]
    inner = [(i, j) for i in range(1, size + 1) for j in range(1, size + 1)]

    def around(i: int, j: int) -> Decimal:
        return grid[i - 1][j] + grid[i + 1][j] + grid[i][j - 1] + grid[i][j + 1] + source[i][j]

    for _ in range(steps):
        after = {(i, j): around(i, j) / 4 for i, j in inner}
        for (i, j), value in after.items():
            grid[i][j] = value
    row = size // 2
    return {
        "residual": max(abs(around(i, j) - 4 * grid[i][j]) for i, j in inner),
        "sum": sum((value for line in grid for value in line), Decimal(0)),
        **{f"value[{row}][{n}]": grid[row + 1][n + 1] for n in samples(size)},
    }


def expected_matrix(size: int, steps: int, seed: int) -> dict[str, Decimal]:
    """Rows times columns."""
    rng = Random(seed)
    left = [rng.take(size, 0.5, 1) for _ in range(size)]
    left = [[element / sum(row) for element in row] for row in left]
    right = [rng.take(size, 0, 1) for _ in range(size)]
    for _ in range(steps):
        columns = list(zip(*right))
        right = [
            [sum((a * b for a, b in zip(row, column)), Decimal(0)) for column in columns]
            for row in left
        ]
    row = size // 2
    return {
        "sum": sum((value for line in right for value in line), Decimal(0)),
        **{f"element[{row}][{n}]": right[row][n] for n in samples(size)},
    }


REFERENCES = {
    "bodies": expected_bodies,
    "stencil": expected_stencil,
    "matrix": expected_matrix,
}

# Sizes around tiles and samples, even and odd numbers of steps, seeds of all lengths.
CASES = [
    ("bodies", 1, 5, 3),
    ("bodies", 2, 40, 2**64 - 1),
    ("bodies", 9, 0, 4),
    ("bodies", 11, 30, 5),
    ("stencil", 1, 3, 0),
    ("stencil", 2, 0, 6),
    ("stencil", 8, 21, 7),
    ("stencil", 17, 20, 8),
    ("matrix", 1, 1, 9),
    ("matrix", 7, 0, 10),
    ("matrix", 8, 3, 2**63),
    ("matrix", 9, 2, 12),
    ("matrix", 19, 1, 13),
]


@pytest.mark.parametrize(("kernel", "size", "steps", "seed"), CASES)
def test_results_agree_with_a_reference_of_50_digits(
    nbody: pathlib.Path, kernel: str, size: int, steps: int, seed: int
) -> None:
    expected = REFERENCES[kernel](size, steps, seed)
    found = values(nbody, kernel, size, steps, seed)
    assert list(found) == list(expected)
    for name, value in expected.items():
        # a residual is a small difference of values around 1
        scale = max(abs(value), Decimal(1)) if name == "residual" else abs(value)
        assert abs(found[name] - value) <= TOLERANCE * scale, name


def test_the_random_numbers_are_those_of_splitmix64() -> None:
    numbers = splitmix64(1234567)
    known = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert [next(numbers) for _ in known] == known


# Flags, each of which vectorizes, inlines or contracts differently.
VARIANTS = {
    "o1": "-O1",
    "o3": "-O3",
    "os": "-Os",
    "native": "-O3 -march=native",
    "thin": "-O2 -flto=thin -fuse-ld=lld",
    "full": "-O2 -flto=full -fuse-ld=lld",
    "pgo": "-O2 -fprofile-use={profile}",
    "pgo-thin": "-O2 -fprofile-use={profile} -flto=thin -fuse-ld=lld",
    "pgo-full": "-O3 -fprofile-use={profile} -flto=full -fuse-ld=lld",
}
SMALL = [
    [kernel, "--size", str(size), "--steps", "11"]
    for kernel in REFERENCES
    for size in (1, 2, 3, 5, 13, 31)
]


def outputs(program: pathlib.Path) -> list[str]:
    """What it prints for all workloads and for small odd sizes."""
    results = [run(program, *arguments) for arguments in [*WORKLOADS.values(), *SMALL]]
    assert all(result.status == 0 and result.out for result in results)
    return [result.out for result in results]


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_prints_the_same_to_the_last_digit(
    optimized: pathlib.Path, profile: pathlib.Path, tmp_path: pathlib.Path, name: str
) -> None:
    flags = VARIANTS[name].format(profile=profile).split()
    assert outputs(build(tmp_path / "nbody", *flags)) == outputs(optimized)


GCC_FLAGS = ["-O0", "-O2", "-O3 -march=native"] if shutil.which("gcc") else []


@pytest.mark.parametrize("flags", GCC_FLAGS)
def test_gcc_makes_it_print_the_same(
    optimized: pathlib.Path, tmp_path: pathlib.Path, flags: str
) -> None:
    program = build(tmp_path / "nbody", *flags.split(), compiler="gcc")
    assert outputs(program) == outputs(optimized)


def test_the_sanitizers_find_nothing_in_the_workloads(
    nbody: pathlib.Path, optimized: pathlib.Path
) -> None:
    assert outputs(nbody) == outputs(optimized)


def test_the_workloads_are_three_and_three_without_a_common_size_or_seed() -> None:
    train, evaluated = (
        [arguments for name, arguments in WORKLOADS.items() if name.startswith(kind)]
        for kind in ("train.", "eval.")
    )
    assert [len(train), len(evaluated)] == [3, 3]
    for option in ("--size", "--seed"):
        used = [words[words.index(option) + 1] for words in train + evaluated]
        assert len(set(used)) == 6


def test_bodies_keep_their_energy_within_what_leapfrog_promises(nbody: pathlib.Path) -> None:
    energies = []
    for steps in (0, 500, 2000):
        found = values(nbody, "bodies", 20, steps, 7)
        energies.append(found["kinetic"] + found["potential"])
    assert all(abs(energy / energies[0] - 1) < Decimal("1e-3") for energy in energies)


def test_relaxation_reaches_the_solution(nbody: pathlib.Path) -> None:
    residuals = [values(nbody, "stencil", 16, steps, 7)["residual"] for steps in (0, 100, 3000)]
    assert residuals[0] > 10 * residuals[1] > 0
    assert residuals[2] < Decimal("1e-13")


@pytest.mark.parametrize("kernel", REFERENCES)
def test_repetitions_print_once(nbody: pathlib.Path, kernel: str) -> None:
    arguments = [kernel, "--size", "13", "--steps", "3"]
    assert run(nbody, *arguments, "--repeat", 4) == run(nbody, *arguments)


@pytest.mark.parametrize("kernel", REFERENCES)
def test_the_largest_size_can_be_had(optimized: pathlib.Path, kernel: str) -> None:
    arguments = ["--size", 4096, "--steps", 0]
    if kernel == "bodies":
        arguments = ["--size", 4096, "--steps", 1]
    assert run(optimized, kernel, *arguments).status == 0


RANGES = {"--size": (1, 4096), "--steps": (0, 10**9), "--seed": (0, 2**64 - 1)}
BAD_NUMBERS = ["", "x", "-1", "+1", " 1", "1.5", "1e3", "0x10", "7k", str(2**64), "9" * 40]


@pytest.mark.parametrize("option", RANGES)
@pytest.mark.parametrize("text", BAD_NUMBERS)
def test_what_is_no_number_of_the_range_is_refused(
    nbody: pathlib.Path, option: str, text: str
) -> None:
    least, most = RANGES[option]
    message = f"nbody: {option} needs a number from {least} to {most}, not '{text}'\n"
    assert run(nbody, "matrix", option, text) == Result(2, "", message + "try 'nbody --help'\n")


BAD_ARGUMENTS = [
    ([], "missing argument 'KERNEL'"),
    ([""], "unknown kernel ''"),
    (["body"], "unknown kernel 'body'"),
    (["--size", "3"], "unknown kernel '--size'"),
    (["bodies", "--length", "3"], "unknown option '--length'"),
    (["bodies", "matrix"], "unknown option 'matrix'"),
    (["bodies", "--size", "3", "4"], "unknown option '4'"),
    (["bodies", "--size"], "--size needs a number from 1 to 4096, not ''"),
    (["bodies", "--size", "0"], "--size needs a number from 1 to 4096, not '0'"),
    (["bodies", "--size", "4097"], "--size needs a number from 1 to 4096, not '4097'"),
    (["bodies", "--repeat", "0"], "--repeat needs a number from 1 to 1000000000, not '0'"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_ARGUMENTS)
def test_bad_arguments_are_refused(
    nbody: pathlib.Path, arguments: list[str], message: str
) -> None:
    assert run(nbody, *arguments) == Result(2, "", f"nbody: {message}\ntry 'nbody --help'\n")


def test_help_shows_the_defaults_that_hold(nbody: pathlib.Path) -> None:
    text = run(nbody, "--help").out
    defaults = dict(re.findall(r"--(size|steps|seed) .* (\d+) by default", text))
    assert len(defaults) == 3
    explicit = [word for name, value in defaults.items() for word in (f"--{name}", value)]
    assert run(nbody, "matrix", *explicit) == run(nbody, "matrix")


@pytest.mark.parametrize("argument", ["bodies", "--help"])
def test_a_failed_write_is_reported(nbody: pathlib.Path, argument: str) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run([nbody, argument], stdout=full, stderr=subprocess.PIPE, check=False)
    message = b"nbody: cannot write standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (2, message)


def test_too_little_memory_is_reported(optimized: pathlib.Path) -> None:
    done = subprocess.run(
        ["prlimit", "--as=50000000", optimized, "stencil", "--size", "4096"],
        capture_output=True,
        check=False,
    )
    message = b"nbody: cannot allocate memory: Cannot allocate memory\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, b"", message)
