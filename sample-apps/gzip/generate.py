"""Write the inputs of the workloads: generate.py OUTDIR.

OUTDIR/train and OUTDIR/eval get documents of made-up text, code, tables and measurements, some of
them compressed. All of it comes from fixed seeds and from the compressor below, so that every
machine gets the same bytes (those of Python's zlib depend on how it was built).
"""

import argparse
import heapq
import json
import struct
import zlib
from bisect import bisect_right
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from random import Random

CONSONANTS = "bcdfghklmnprstvwz"
VOWELS = "aeiou"


def words(rng: Random, count: int) -> list[str]:
    """Distinct pronounceable words, short ones first."""
    found: dict[str, None] = {}
    while len(found) < count:
        syllables = 1 + len(found) * 3 // count + rng.randrange(2)
        found["".join(CONSONANTS[rng.randrange(17)] + VOWELS[rng.randrange(5)]
                      for _ in range(syllables))] = None
    return list(found)


def skewed(rng: Random, size: int) -> int:
    """An index below size, small ones far more often: roughly Zipf's law."""
    return rng.randrange(min(size, 2 << rng.randrange(size.bit_length())))


def log(rng: Random, size: int) -> str:
    """An HTTP server's access log."""
    paths = ["/" + "/".join(words(rng, 3)) for _ in range(60)]
    agents = ["Mozilla/5.0 (" + " ".join(words(rng, 5)) + ")" for _ in range(12)]
    lines, time, total = [], 0, 0
    while total < size:
        time += rng.randrange(3)
        lines.append(
            f"10.{rng.randrange(4)}.{skewed(rng, 200)}.{skewed(rng, 250)} - - "
            f"[12/Mar/2024:{time // 3600 % 24:02}:{time // 60 % 60:02}:{time % 60:02} +0000] "
            f"\"GET {paths[skewed(rng, 60)]}?id={rng.randrange(100000)} HTTP/1.1\" "
            f"{(200, 200, 200, 304, 404)[rng.randrange(5)]} {rng.randrange(90000)} "
            f"\"{agents[skewed(rng, 12)]}\"\n")
        total += len(lines[-1])
    return "".join(lines)


STATEMENTS = ["    %s = %s + %s;\n", "    %s = %s->%s & %s;\n", "    %s = %s(%s, %s);\n",
              "    %s[%s] |= %s;\n", "    if (%s->%s < %s(%s))\n        return -1;\n",
              "    for (int i = 0; i < %s; i++)\n        %s(%s[i]);\n", "    /* %s %s %s %s */\n"]


def source(rng: Random, size: int) -> str:
    """C-like functions."""
    names = words(rng, 300)

    def filled(template: str) -> str:
        return template % tuple(names[skewed(rng, 300)] for _ in range(template.count("%s")))

    functions, total = [], 0
    while total < size:
        body = "".join(filled(STATEMENTS[rng.randrange(len(STATEMENTS))])
                       for _ in range(2 + rng.randrange(9)))
        head = filled("static int %s_%s(struct %s *%s, size_t %s)\n{\n")
        functions.append(f"{head}{body}    return {rng.randrange(16)};\n}}\n\n")
        total += len(functions[-1])
    return "".join(functions)


def table(rng: Random, size: int) -> str:
    """Orders as comma-separated values."""
    customers, cities = words(rng, 400), words(rng, 50)
    lines, total = ["order,customer,city,quantity,price,date\n"], 0
    while total < size:
        lines.append(
            f"{100000 + len(lines)},{customers[skewed(rng, 400)].title()},"
            f"{cities[skewed(rng, 50)].title()},{1 + skewed(rng, 20)},"
            f"{rng.randrange(20000) / 100:.2f},2024-{1 + rng.randrange(12):02}-"
            f"{1 + rng.randrange(28):02}\n")
        total += len(lines[-1])
    return "".join(lines)


def messages(rng: Random, size: int) -> str:
    """JSON, one object a line."""
    names, tags = words(rng, 200), words(rng, 40)
    lines, total = [], 0
    while total < size:
        lines.append(json.dumps({
            "id": f"{rng.getrandbits(48):012x}", "user": {"name": names[skewed(rng, 200)],
                                                          "followers": skewed(rng, 100000)},
            "text": " ".join(names[skewed(rng, 200)] for _ in range(3 + rng.randrange(12))),
            "tags": [tags[skewed(rng, 40)] for _ in range(rng.randrange(4))],
            "likes": skewed(rng, 1000), "reply": rng.randrange(3) == 0}) + "\n")
        total += len(lines[-1])
    return "".join(lines)


def prose(rng: Random, size: int) -> str:
    """Paragraphs of sentences."""
    vocabulary = words(rng, 3000)
    sentences, total = [], 0
    while total < size:
        sentence = " ".join(vocabulary[skewed(rng, 3000)] for _ in range(4 + rng.randrange(14)))
        sentences.append(sentence.capitalize() + (". ", ".\n\n", ", ")[rng.randrange(3)])
        total += len(sentences[-1])
    return "".join(sentences)


def records(rng: Random, size: int) -> bytes:
    """Measurements in binary: time, sensor, flags, and values that wander."""
    values = [rng.randrange(30000) for _ in range(24)]
    parts, time = [], 1_700_000_000
    for i in range(size // 16):
        sensor = i % 8
        time += sensor == 0
        for k in range(3 * sensor, 3 * sensor + 3):
            values[k] = (values[k] + rng.randrange(-40, 41)) % 30000
        parts.append(struct.pack("<IHHhhhH", time, sensor, rng.randrange(8) == 0,
                                 *values[3 * sensor:3 * sensor + 3], 0xFFFF))
    return b"".join(parts)


def archive(rng: Random, size: int) -> bytes:
    """Small files of all kinds behind tar-like headers."""
    parts: list[bytes] = []
    while sum(map(len, parts)) < size:
        kind = TEXTS[len(parts) % len(TEXTS)]
        body = kind(rng, 2000 + rng.randrange(8000)).encode()
        if rng.randrange(4) == 0:
            body = records(rng, len(body))
        name = f"{'/'.join(words(rng, 3))}\0".encode()
        parts.append(name.ljust(100, b"\0") + b"%011o\0" % len(body) + bytes(400) + body)
    return b"".join(parts)


TEXTS: list[Callable[[Random, int], str]] = [log, source, table, messages, prose]


# A gzip compressor that is short rather than good: it takes the latest match of four bytes or
# more. Bits are strings of 0 and 1 in the order in which they are sent.

# Each list ends with what comes after the last range. Lengths stop at 257: 258 has a code of its
# own that does not follow the rule.
LENGTH_BASES = [*range(3, 11), *(2 ** e * (4 + k) + 3 for e in range(1, 6) for k in range(4)), 259]
DISTANCE_BASES = [1, 2, *(2 ** e * (2 + k) + 1 for e in range(14) for k in range(2)), 32769]
LENGTH_CODE_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
LENGTH_CODE = [4] * 13 + [5] * 6
END_OF_BLOCK = 256
BLOCK_TOKENS = 20000


def number(value: int, width: int) -> str:
    """A number, lowest bit first."""
    return f"{value:0{width}b}"[::-1] if width else ""


def ranged(bases: list[int], value: int) -> tuple[int, str]:
    """The index of the range that value is in, and the extra bits."""
    index = bisect_right(bases, value) - 1
    return index, number(value - bases[index], (bases[index + 1] - bases[index]).bit_length() - 1)


LENGTHS = [(0, "")] * 3 + [ranged(LENGTH_BASES, length) for length in range(3, 258)]
DISTANCES = [(0, "")] + [ranged(DISTANCE_BASES, distance) for distance in range(1, 32769)]


def tokens(data: bytes) -> list[tuple[int, int]]:
    """Literals (byte, 0) and matches (length, distance)."""
    latest: dict[bytes, int] = {}
    found = []
    here, end = 0, len(data)
    while here < end:
        there = latest.get(data[here:here + 4], -32769)
        length = 1
        if here - there <= 32768 and here + 4 <= end:
            length, limit = 4, min(257, end - here)
            while length < limit and data[there + length] == data[here + length]:
                length += 1
        found.append((length, here - there) if length > 1 else (data[here], 0))
        for position in range(here, here + length):
            latest[data[position:position + 4]] = position
        here += length
    return found


def code_lengths(counts: list[int]) -> list[int]:
    """Huffman code lengths of at most 15; at least two symbols must have a count."""
    lengths = [0] * len(counts)
    heap = [(count, symbol, [symbol]) for symbol, count in enumerate(counts) if count]
    heapq.heapify(heap)
    while len(heap) > 1:
        (a, order, left), (b, _, right) = heapq.heappop(heap), heapq.heappop(heap)
        for symbol in left + right:
            lengths[symbol] += 1
        heapq.heappush(heap, (a + b, order, left + right))
    return lengths if max(lengths) <= 15 else code_lengths([(count + 1) // 2 for count in counts])


def canonical(lengths: list[int]) -> list[str]:
    """The codes that belong to code lengths."""
    codes, code, last = [""] * len(lengths), 0, 0
    for length, symbol in sorted((n, symbol) for symbol, n in enumerate(lengths) if n):
        code <<= length - last
        codes[symbol], last = f"{code:0{length}b}", length
        code += 1
    return codes


def sent_lengths(lengths: list[int]) -> str:
    """Code lengths, long runs of zeros shortened."""
    codes, sent = canonical(LENGTH_CODE), []
    for value, group in groupby(lengths):
        run = len(list(group))
        while value == 0 and run >= 11:
            part = min(run, 138)
            sent.append(codes[18] + number(part - 11, 7))
            run -= part
        sent.append(codes[value] * run)
    return "".join(sent)


def block(chosen: list[tuple[int, int]], last: bool) -> str:
    """One block with codes of its own."""
    literals, distances = [0] * 286, [1, 1] + [0] * 28
    literals[END_OF_BLOCK] = 1
    for value, distance in chosen:
        if distance:
            literals[257 + LENGTHS[value][0]] += 1
            distances[DISTANCES[distance][0]] += 1
        else:
            literals[value] += 1
    literal_lengths, distance_lengths = code_lengths(literals), code_lengths(distances)
    literal_codes, distance_codes = canonical(literal_lengths), canonical(distance_lengths)
    matches = [literal_codes[257 + symbol] + extra for symbol, extra in LENGTHS]
    bits = [number(last, 1), number(2, 2), number(286 - 257, 5), number(30 - 1, 5), number(15, 4)]
    bits += [number(LENGTH_CODE[symbol], 3) for symbol in LENGTH_CODE_ORDER]
    bits.append(sent_lengths(literal_lengths + distance_lengths))
    for value, distance in chosen:
        if distance:
            symbol, extra = DISTANCES[distance]
            bits += (matches[value], distance_codes[symbol], extra)
        else:
            bits.append(literal_codes[value])
    bits.append(literal_codes[END_OF_BLOCK])
    return "".join(bits)


def compress(data: bytes) -> bytes:
    """One gzip member."""
    chosen = tokens(data)
    bits = "".join(block(chosen[start:start + BLOCK_TOKENS], start + BLOCK_TOKENS >= len(chosen))
                   for start in range(0, len(chosen), BLOCK_TOKENS))
    body = int(bits[::-1], 2).to_bytes((len(bits) + 7) // 8, "little")
    header = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
    return header + body + struct.pack("<II", zlib.crc32(data), len(data))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("outdir", type=Path)
    outdir = parser.parse_args().outdir
    documents = {
        "train/access.log": log(Random(1), 600_000).encode(),
        "train/parser.c": source(Random(2), 250_000).encode(),
        "train/sensors.bin": records(Random(3), 40_000),
        "train/orders.csv.gz": compress(table(Random(4), 500_000).encode()),
        "train/novel.txt.gz": compress(prose(Random(5), 500_000).encode()),
        "eval/messages.json": messages(Random(11), 600_000).encode(),
        "eval/backup.tar": archive(Random(12), 250_000),
        "eval/essay.txt": prose(Random(13), 64_000).encode(),
        "eval/access.log.gz": compress(log(Random(14), 1_200_000).encode()),
        "eval/kernel.c.gz": compress(source(Random(15), 1_000_000).encode()),
    }
    for name, data in documents.items():
        path = outdir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


if __name__ == "__main__":
    main()
