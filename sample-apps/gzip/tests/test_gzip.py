"""Tests of the sample application gzip; Python's gzip and zlib modules are the other side."""

import gzip
import hashlib
import os
import random
import re
import resource
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

APP = Path(__file__).resolve().parent.parent
SOURCES = sorted(APP.glob("*.c"))
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
SANITIZERS = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
CFLAGS = ["-std=c11", "-D_POSIX_C_SOURCE=200809L"]

Run = Callable[..., subprocess.CompletedProcess[bytes]]


def clang() -> str:
    """$CLANG, clang-22, or the newest one installed."""
    newest = sorted(Path("/usr/lib").glob("llvm-*/bin/clang"),
                    key=lambda path: int(path.parts[3].split("-")[1]))
    found = os.environ.get("CLANG") or shutil.which("clang-22") or (newest and str(newest[-1]))
    assert found, "no clang"
    return str(found)


def build(flags: list[str], sources: list[Path], binary: Path) -> Path:
    subprocess.run([clang(), *CFLAGS, *WARNINGS, *flags, *map(str, sources), "-o", str(binary)],
                   check=True)
    return binary


@pytest.fixture(scope="session")
def checked_binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(SANITIZERS, SOURCES, tmp_path_factory.mktemp("checked") / "gzip")


@pytest.fixture(scope="session")
def fast_binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(["-O2"], SOURCES, tmp_path_factory.mktemp("fast") / "gzip")


@pytest.fixture(scope="session")
def run(checked_binary: Path) -> Run:
    """run(*arguments, data=b"") runs the sanitized program."""
    def runner(*arguments: str | Path, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        result = subprocess.run([checked_binary, *arguments], input=data, capture_output=True)
        assert result.returncode in (0, 1, 2), result.stderr.decode()
        assert b"Sanitizer" not in result.stderr and b"runtime error" not in result.stderr
        return result
    return runner


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def text(size: int, seed: int = 1) -> bytes:
    rng = random.Random(seed)
    vocabulary = [noise(1 + rng.randrange(9), i).hex() for i in range(500)]
    words: list[str] = []
    total = 0
    while total < size:
        words.append(vocabulary[int(500 * rng.random() ** 3)])
        total += len(words[-1]) + 1
    return " ".join(words).encode()[:size]


def far_repeat(distance: int) -> bytes:
    """Noise whose last part repeats what is `distance` before it."""
    data = noise(distance + 300, distance)
    return data + data[-distance:][:300]


CASES = {
    "empty": b"",
    "one byte": b"x",
    "two bytes": b"xx",
    "three bytes": b"xyz",
    "a run as long as a match and its first byte": b"a" * 259,
    "zeros": bytes(300_000),
    "a period of two": b"ab" * 5000,
    "a period of seven": b"abcdefg" * 3000,
    "all bytes": bytes(range(256)) * 3,
    "noise": noise(200_000),
    "noise of one stored block": noise(65_535),
    "noise of one stored block and a byte": noise(65_536),
    "noise in two symbols": bytes(b & 1 for b in noise(100_000)),
    "text": text(300_000),
    "text as long as the window": text(32_768),
    "text as long as the buffer less one": text(65_535),
    "text as long as the buffer": text(65_536),
    "text as long as the buffer and one": text(65_537),
    "text, then noise, then zeros": text(60_000) + noise(60_000) + bytes(60_000),
    "a match at the greatest distance": far_repeat(32_506),
    "a repeat beyond the greatest distance": far_repeat(32_769),
    "numbers": b"".join(struct.pack("<I", 7 * i) for i in range(30_000)),
}


@pytest.mark.parametrize("level", range(1, 10))
def test_what_is_compressed_can_be_restored_by_others_and_by_itself(run: Run, level: int) -> None:
    for name, data in CASES.items():
        packed = run(f"-{level}", data=data)
        assert packed.returncode == 0 and packed.stderr == b"", name
        assert gzip.decompress(packed.stdout) == data, name
        assert run("-d", data=packed.stdout).stdout == data, name


@pytest.mark.parametrize("level, strategy", [
    (0, zlib.Z_DEFAULT_STRATEGY), (1, zlib.Z_DEFAULT_STRATEGY), (9, zlib.Z_DEFAULT_STRATEGY),
    (9, zlib.Z_FILTERED), (9, zlib.Z_HUFFMAN_ONLY), (9, zlib.Z_RLE), (9, zlib.Z_FIXED)])
def test_what_zlib_compresses_is_restored(run: Run, level: int, strategy: int) -> None:
    for name, data in CASES.items():
        packer = zlib.compressobj(level, zlib.DEFLATED, 31, 9, strategy)
        packed = packer.compress(data) + packer.flush()
        result = run("-d", data=packed)
        assert (result.returncode, result.stdout) == (0, data), name


def test_flushes_in_the_middle_of_the_data_are_harmless(run: Run) -> None:
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    parts = [text(5000, seed) for seed in range(20)]
    flushes = [zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_PARTIAL_FLUSH]
    packed = b"".join(packer.compress(part) + packer.flush(flushes[i % 3])
                      for i, part in enumerate(parts)) + packer.flush()
    assert run("-d", data=packed).stdout == b"".join(parts)


@pytest.mark.parametrize("level, effort", [(1, 4), (6, 0), (9, 2)])
def test_headers_say_nothing_of_time_and_place(run: Run, level: int, effort: int) -> None:
    header = run(f"-{level}", data=b"x").stdout[:10]
    assert header == bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, effort, 255])


def test_higher_levels_compress_better(run: Run) -> None:
    sizes = [len(run(level, data=CASES["text"]).stdout) for level in ("-1", "-6", "-9")]
    assert sizes[0] > sizes[1] > sizes[2]


def test_the_default_level_is_6_and_the_last_one_given_counts(run: Run) -> None:
    data = CASES["text"]
    assert run(data=data).stdout == run("-6", data=data).stdout == run("-96", data=data).stdout
    assert run("--best", data=data).stdout == run("-9", data=data).stdout
    assert run("--fast", data=data).stdout == run("-1", data=data).stdout


@pytest.mark.parametrize("size", [0, 1, 1000, 65_535, 65_536, 500_000])
def test_noise_hardly_grows(run: Run, size: int) -> None:
    for level in ("-1", "-9"):
        assert len(run(level, data=noise(size)).stdout) <= size + 18 + 5 * (size // 16_000 + 1)


def test_blocks_follow_the_data(run: Run) -> None:
    parts = [text(100_000), noise(100_000), CASES["numbers"]]
    whole = len(run(data=b"".join(parts)).stdout)
    assert whole < sum(len(run(data=part).stdout) for part in parts) + 1500


# Members


def member(data: bytes, flags: int = 0, fields: bytes = b"") -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    body = packer.compress(data) + packer.flush()
    header = struct.pack("<BBBBIBB", 0x1F, 0x8B, 8, flags, 1_700_000_000, 0, 3) + fields
    if flags & 2:
        header += struct.pack("<H", zlib.crc32(header) & 0xFFFF)
    return header + body + struct.pack("<II", zlib.crc32(data), len(data))


EXTRA, NAME, COMMENT = struct.pack("<H", 300) + noise(300), b"a file\0", b"a comment\0"

HEADERS = {
    "FTEXT": (1, b""),
    "FHCRC": (2, b""),
    "FEXTRA": (4, EXTRA),
    "empty FEXTRA": (4, b"\0\0"),
    "FNAME": (8, NAME),
    "FCOMMENT": (16, COMMENT),
    "a long FNAME": (8, b"n" * 200_000 + b"\0"),
    "all fields": (31, EXTRA + NAME + COMMENT),
}


@pytest.mark.parametrize("header", HEADERS)
def test_optional_header_fields_are_skipped(run: Run, header: str) -> None:
    result = run("-d", data=member(b"content", *HEADERS[header]))
    assert (result.returncode, result.stdout) == (0, b"content")


def test_members_are_concatenated(run: Run) -> None:
    packed = member(b"one ") + member(b"") + member(text(100_000)) + run(data=b" four").stdout
    assert run("-d", data=packed).stdout == b"one " + text(100_000) + b" four"


@pytest.mark.parametrize("zeros", [1, 7, 8, 512, 100_000])
def test_zeros_may_follow(run: Run, zeros: int) -> None:
    result = run("-d", data=member(b"content") + bytes(zeros))
    assert (result.returncode, result.stdout, result.stderr) == (0, b"content", b"")


@pytest.mark.parametrize("padding, garbage", [
    (0, b"x"), (0, b"\x1f"), (0, b"\x1f\x8b"), (0, b"\x1f\x8b\x07 and more"), (3, b"x"),
    (2000, b"garbage"), (5, member(b"a member, but too late"))])
def test_other_bytes_that_follow_are_a_warning(run: Run, padding: int, garbage: bytes) -> None:
    packed = member(b"content") + bytes(padding)
    result = run("-d", data=packed + garbage)
    assert (result.returncode, result.stdout) == (2, b"content")
    assert result.stderr == f"gzip: stdin: byte {len(packed)}: trailing garbage ignored\n".encode()


# Bad input


@pytest.mark.parametrize("data", [b"content", text(3000), noise(500), bytes(5000)],
                         ids=["fixed block", "dynamic block", "stored block", "zeros"])
def test_every_truncation_is_noticed_and_what_came_before_is_restored(
        fast_binary: Path, data: bytes) -> None:
    packed = member(data, 31, b"\2\0XX" + NAME + COMMENT)
    for size in range(len(packed)):
        result = subprocess.run([fast_binary, "-d"], input=packed[:size], capture_output=True)
        assert result.returncode == 1
        assert result.stderr == f"gzip: stdin: byte {size}: unexpected end of file\n".encode()
        assert data.startswith(result.stdout)
    assert len(result.stdout) == len(data)


def test_no_flipped_bit_goes_unnoticed(run: Run) -> None:
    data = text(2000)
    packed = member(data)
    rng = random.Random(5)
    noticed = 0
    for _ in range(150):
        bit = rng.randrange(80, 8 * len(packed))
        broken = bytearray(packed)
        broken[bit // 8] ^= 1 << bit % 8
        result = run("-d", data=bytes(broken))
        assert result.returncode != 0 or result.stdout == data
        noticed += result.returncode == 1 and b": byte " in result.stderr
    assert noticed >= 149  # one bit may be the padding of the last byte


def test_noise_behind_a_header_never_crashes_and_always_ends(run: Run) -> None:
    for seed in range(60):
        result = run("-d", data=member(b"")[:10] + noise(400, seed))
        assert result.returncode == 1 and b": byte " in result.stderr


def header_with(position: int, value: int) -> bytes:
    broken = bytearray(member(b"content", 2))
    broken[position] = value
    return bytes(broken)


BROKEN_FILES = {
    "another file": (b"PK\3\4" + bytes(30), 2, "not in gzip format"),
    "another method": (header_with(2, 7), 3, "unknown compression method"),
    "a reserved flag": (header_with(3, 0x20), 4, "reserved header flags set"),
    "a wrong header CRC": (header_with(4, 99), 12, "header CRC does not match"),
    "a wrong CRC": (member(b"content")[:-8] + bytes(8), 23, "CRC does not match"),
    "a wrong length": (member(b"content")[:-4] + bytes(4), 27, "length does not match"),
    "a second member that is broken": (member(b"content") + member(b"content")[:-4] + bytes(4), 54,
                                       "length does not match"),
}


@pytest.mark.parametrize("case", BROKEN_FILES)
def test_a_bad_file_is_an_error_with_place_and_cause(run: Run, case: str) -> None:
    data, place, cause = BROKEN_FILES[case]
    result = run("-t", data=data)
    assert result.returncode == 1
    assert result.stderr.decode() == f"gzip: stdin: byte {place}: {cause}\n"


# DEFLATE data made by hand

LENGTH_CODE_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
LAST_STORED, LAST_FIXED, STORED = "100", "110", "000"
FIXED_A, FIXED_3, FIXED_END = "10010001", "0000001", "0000000"


def bits(*fields: str | tuple[int, int]) -> bytes:
    """Packs codes, written first bit first, and numbers: (value, width)."""
    stream = "".join(field if isinstance(field, str) else f"{field[0]:0{field[1]}b}"[::-1]
                     for field in fields)
    stream += "0" * (-len(stream) % 8)
    return bytes(int(stream[i:i + 8][::-1], 2) for i in range(0, len(stream), 8))


def announced(literals: int, distances: int, length_code: dict[int, int], *more: str) -> bytes:
    """A last block with so many code lengths, which are sent in a code with these lengths."""
    lengths = [(length_code.get(symbol, 0), 3) for symbol in LENGTH_CODE_ORDER]
    return bits(LAST_FIXED[0] + "01", (literals - 257, 5), (distances - 1, 5), (15, 4), *lengths,
                *more)


def coded(literals: dict[int, int], distances: dict[int, int], *codes: str) -> bytes:
    """A last block with these code lengths."""
    sent = [literals.get(symbol, 0) for symbol in range(max([256, *literals]) + 1)]
    sent += [distances.get(symbol, 0) for symbol in range(max([0, *distances]) + 1)]
    return announced(max([256, *literals]) + 1, max([0, *distances]) + 1,
                     {length: 4 for length in range(16)}, *(f"{n:04b}" for n in sent), *codes)


def stored(data: bytes) -> bytes:
    return bits(STORED, "00000", (len(data), 16), (len(data) ^ 0xFFFF, 16)) + data


BROKEN_DATA = {
    "a fourth block type": (bits("111"), "invalid block type"),
    "a stored length without its complement": (
        bits(LAST_STORED, "00000", (5, 16), (5, 16)),
        "stored block's length does not match its complement"),
    "a match before all data": (bits(LAST_FIXED, FIXED_3, "00000"),
                                "distance reaches back before the beginning"),
    "a match before the beginning": (bits(LAST_FIXED, FIXED_A, FIXED_3, "00001"),
                                     "distance reaches back before the beginning"),
    "a match just before the beginning": (
        stored(noise(32_767)) + bits(LAST_FIXED, FIXED_3, "11101", (8191, 13)),
        "distance reaches back before the beginning"),
    "literal symbol 286": (bits(LAST_FIXED, "11000110", "00000"), "invalid code"),
    "distance symbol 30": (bits(LAST_FIXED, FIXED_A, FIXED_3, "11110"), "invalid code"),
    "287 literal codes": (announced(287, 1, {0: 1, 1: 1}), "invalid code lengths"),
    "31 distance codes": (announced(257, 31, {0: 1, 1: 1}), "invalid code lengths"),
    "too many codes for lengths": (announced(257, 1, {0: 1, 1: 1, 2: 1}), "invalid code lengths"),
    "too few codes for lengths": (announced(257, 1, {0: 1, 1: 2}), "invalid code lengths"),
    "a repeat of nothing": (announced(257, 1, {0: 1, 16: 1}, "1", "00"), "invalid code lengths"),
    "a repeat beyond the end": (announced(257, 1, {0: 1, 18: 1}, "11111111", "11111111"),
                                "invalid code lengths"),
    "no code for the end of a block": (coded({0: 1, 1: 1}, {}), "invalid code lengths"),
    "too many literal codes": (coded({0: 1, 1: 1, 256: 1}, {}), "invalid code lengths"),
    "too few literal codes": (coded({0: 2, 256: 2}, {}), "invalid code lengths"),
    "a single long literal code": (coded({256: 2}, {}), "invalid code lengths"),
    "too many distance codes": (coded({0: 1, 256: 1}, {0: 1, 1: 1, 2: 1}), "invalid code lengths"),
    "too few distance codes": (coded({0: 1, 256: 1}, {0: 2, 1: 2}), "invalid code lengths"),
    "a match without distance codes": (coded({0: 1, 256: 2, 257: 2}, {}, "0", "11", "0"),
                                       "invalid code"),
    "a distance code that is not used": (coded({0: 1, 256: 2, 257: 2}, {0: 1}, "0", "11", "1"),
                                         "invalid code"),
    "a literal code that is not used": (coded({256: 1}, {}, "1"), "invalid code"),
}


@pytest.mark.parametrize("case", BROKEN_DATA)
def test_bad_data_is_an_error_with_place_and_cause(run: Run, case: str) -> None:
    data, cause = BROKEN_DATA[case]
    data += bytes(40)
    with pytest.raises(zlib.error):
        zlib.decompress(data, -15)
    result = run("-t", data=member(b"")[:10] + data)
    assert result.returncode == 1
    assert re.fullmatch(rf"gzip: stdin: byte \d+: {cause}\n", result.stderr.decode())


RARE_DATA = {
    "an empty stored block": (bits(LAST_STORED, "00000", (0, 16), (0xFFFF, 16)), b""),
    "a single literal code": (coded({256: 1}, {}, "0"), b""),
    "no distance codes": (coded({0: 1, 256: 1}, {}, "0", "0", "1"), bytes(2)),
    "a single distance code": (coded({0: 1, 256: 2, 257: 2}, {0: 1}, "0", "11", "0", "10"),
                               bytes(4)),
    "codes of all lengths": (
        coded({**{n - 1: n for n in range(1, 16)}, 256: 15}, {},
              *("1" * n + "0" for n in range(15)), "1" * 15), bytes(range(15))),
    "lengths of 258, the short way and the long way": (
        bits(LAST_FIXED, FIXED_A, "11000101", "00000", "11000100", (31, 5), "00000", FIXED_END),
        b"a" * 517),
    "the greatest distance": (
        stored(noise(32_768)) + bits(LAST_FIXED, FIXED_3, "11101", (8191, 13), FIXED_END),
        noise(32_768) + noise(32_768)[:3]),
}


@pytest.mark.parametrize("case", RARE_DATA)
def test_rare_but_valid_data_is_restored(run: Run, case: str) -> None:
    packed, data = RARE_DATA[case]
    assert zlib.decompress(packed, -15) == data
    trailer = struct.pack("<II", zlib.crc32(data), len(data))
    result = run("-d", data=member(b"")[:10] + packed + trailer)
    assert (result.returncode, result.stdout) == (0, data)


# Code lengths


def optimal_cost(counts: list[int], limit: int) -> int:
    """The least sum of count times length: package-merge (Larmore and Hirschberg, 1990)."""
    leaves = sorted((count, (symbol,)) for symbol, count in enumerate(counts) if count)
    packages: list[tuple[int, tuple[int, ...]]] = []
    for _ in range(limit):
        merged = sorted(leaves + packages)
        packages = [(a[0] + b[0], a[1] + b[1]) for a, b in zip(merged[::2], merged[1::2])]
    return sum(count for count, _ in packages[:len(leaves) - 1])


def fibonacci(size: int) -> list[int]:
    numbers = [1, 1]
    while len(numbers) < size:
        numbers.append(numbers[-1] + numbers[-2])
    return numbers


# Counts, the limit, and how much the limit may cost.
COUNTS = {
    "equal": ([7] * 256, 15, 1),
    "equal, one too many": ([7] * 257, 15, 1),
    "rising": (list(range(1, 287)), 15, 1),
    "text": ([text(30_000).count(bytes([byte])) for byte in range(256)], 15, 1),
    "rising, at the least limit": (list(range(1, 289)), 9, 1.01),
    "as unequal as they get": (fibonacci(23), 15, 1.01),
    "as unequal, for code lengths": (fibonacci(19), 7, 1.12),
    "halved": ([1 << max(0, 12 - i) for i in range(19)], 7, 1.05),
}


@pytest.fixture(scope="session")
def lengths_binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = Path(__file__).with_name("huffman_lengths.c")
    return build(SANITIZERS, [program, APP / "huffman.c", APP / "bits.c"],
                 tmp_path_factory.mktemp("lengths") / "huffman_lengths")


def code_lengths(binary: Path, limit: int, counts: list[int]) -> list[int]:
    result = subprocess.run([binary, *map(str, [limit, *counts])], text=True, capture_output=True,
                            check=True)
    return [int(line) for line in result.stdout.split()]


@pytest.mark.parametrize("case", COUNTS)
def test_code_lengths_are_a_complete_code_and_optimal_or_nearly_so(
        lengths_binary: Path, case: str) -> None:
    counts, limit, loss = COUNTS[case]
    lengths = code_lengths(lengths_binary, limit, counts)
    assert max(lengths) <= limit
    assert sum(2 ** (limit - length) for length in lengths if length) == 2 ** limit
    cost = sum(count * length for count, length in zip(counts, lengths))
    optimum = optimal_cost(counts, limit)
    assert optimum <= cost <= loss * optimum


@pytest.mark.parametrize("counts, lengths", [
    ([0, 0, 0], [1, 1, 0]), ([0, 9, 0], [1, 1, 0]), ([9, 0, 0], [1, 1, 0]), ([0, 9, 1], [0, 1, 1])])
def test_at_least_two_symbols_have_a_code(
        lengths_binary: Path, counts: list[int], lengths: list[int]) -> None:
    assert code_lengths(lengths_binary, 15, counts) == lengths


# The command line


def test_files_are_read_and_written(run: Run, tmp_path: Path) -> None:
    plain, packed, restored = tmp_path / "a", tmp_path / "a.gz", tmp_path / "b"
    plain.write_bytes(CASES["text"])
    assert run("-o", packed, plain).stdout == b""
    assert run("-d", "-o", restored, packed).stdout == b""
    assert plain.read_bytes() == restored.read_bytes() == CASES["text"]
    assert run("-dck", packed).stdout == run("-d", "-", data=packed.read_bytes()).stdout


def test_an_existing_file_is_overwritten_only_by_force(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_bytes(b"precious" * 100)
    result = run("-o", out, data=b"x")
    assert result.returncode == 1 and b"exists" in result.stderr
    assert out.read_bytes() == b"precious" * 100
    assert run("-f", "-o", out, data=b"x").returncode == 0
    assert gzip.decompress(out.read_bytes()) == b"x"


def test_a_device_is_no_file_to_overwrite(run: Run) -> None:
    assert run("-o", "/dev/null", data=b"x").returncode == 0


def test_the_input_is_never_overwritten(run: Run, tmp_path: Path) -> None:
    same, link = tmp_path / "same", tmp_path / "link"
    same.write_bytes(b"precious")
    os.link(same, link)
    for out in (same, link):
        result = run("-f", "-o", out, same)
        assert result.returncode == 1 and b"is the input" in result.stderr
        assert same.read_bytes() == b"precious"


def test_a_failure_leaves_no_output_file(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("-d", "-o", out, data=member(text(200_000))[:-9]).returncode == 1
    assert not out.exists()


def test_a_warning_leaves_the_output_file(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("-d", "-o", out, data=member(b"content") + b"garbage").returncode == 2
    assert out.read_bytes() == b"content"


def test_testing_writes_nothing(run: Run, tmp_path: Path) -> None:
    result = run("-t", "-o", tmp_path / "out", data=member(b"content"))
    assert (result.returncode, result.stdout) == (0, b"")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("options", [["-1"], ["-6"], ["-9"], ["-d"]])
def test_repetitions_write_the_result_once(run: Run, tmp_path: Path, options: list[str]) -> None:
    file = tmp_path / "file"
    file.write_bytes(member(CASES["text"]))
    assert run(*options, "--repeat", "3", file).stdout == run(*options, file).stdout


def test_what_cannot_be_read_again_is_not_repeated(run: Run) -> None:
    result = run("--repeat", "2", data=b"x")
    assert result.returncode == 1
    assert result.stderr == b"gzip: stdin: cannot be read again for --repeat\n"


@pytest.mark.parametrize("arguments, message", [
    (["--repeat", "0"], "from 1 on"),
    (["--repeat", "-1"], "from 1 on"),
    (["--repeat", "2x"], "from 1 on"),
    (["--repeat", ""], "from 1 on"),
    (["--repeat", "99999999999999999999999"], "from 1 on"),
    (["-0"], "invalid option"),
    (["--what"], "unrecognized option"),
    (["a", "b"], "only one file"),
    (["-o"], "requires an argument"),
    (["missing"], "gzip: missing: No such file or directory"),
    (["/"], "gzip: /: Is a directory"),
    (["-o", "/missing/out"], "gzip: /missing/out: No such file or directory"),
])
def test_bad_arguments_are_refused(run: Run, arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert (result.returncode, result.stdout) == (1, b"")
    assert message in result.stderr.decode()


def test_help_is_not_an_error(run: Run) -> None:
    result = run("--help")
    assert result.returncode == 0 and result.stdout.startswith(b"usage: gzip ")


@pytest.mark.parametrize("data", [b"", b"short", noise(300_000), text(300_000)],
                         ids=["empty", "short", "noise", "text"])
@pytest.mark.parametrize("option", ["-1", "-6", "-d"])
def test_a_full_disk_is_noticed(run: Run, option: str, data: bytes) -> None:
    if option == "-d":
        data = member(data + b"x")
    result = run(option, "-o", "/dev/full", data=data)
    assert result.returncode == 1
    assert result.stderr == b"gzip: /dev/full: No space left on device\n"


def test_a_terminal_gets_no_compressed_data(checked_binary: Path) -> None:
    ours, theirs = os.openpty()
    for option, status in ("-1", 1), ("-f", 0):
        result = subprocess.run([checked_binary, option], input=b"", stdout=theirs,
                                stderr=subprocess.PIPE)
        assert result.returncode == status
        assert (b"not written to a terminal" in result.stderr) == (status == 1)
    assert os.read(ours, 100)[:2] == b"\x1f\x8b"
    os.close(ours)
    os.close(theirs)


def test_memory_does_not_grow_with_the_input(fast_binary: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (16 << 20, 16 << 20))
    data = text(1 << 20) * 64
    packed = subprocess.run([fast_binary, "-1"], input=data, stdout=subprocess.PIPE, check=True,
                            preexec_fn=limit).stdout
    restored = subprocess.run([fast_binary, "-d"], input=packed, stdout=subprocess.PIPE, check=True,
                              preexec_fn=limit).stdout
    assert restored == data


# The workloads

INPUTS_SHA256 = "8868d6ae204869f16fd7cdb63de221a11c57e8f7e0c6251892ca9538813278c3"


def test_the_workloads_inputs_are_the_same_everywhere_and_valid(tmp_path: Path) -> None:
    subprocess.run([sys.executable, APP / "generate.py", tmp_path], check=True)
    digest = hashlib.sha256()
    for path in sorted(tmp_path.glob("*/*")):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(tmp_path)} {len(data)}\n".encode() + data)
        assert path.suffix != ".gz" or len(gzip.decompress(data)) > len(data)
    assert digest.hexdigest() == INPUTS_SHA256
