"""Write powers.h: powers of ten to 128 bits, for reading and printing doubles.

Each is ceil(10^k * 2^(127 - floor(log2(10^k)))), from the least k that a number of 19 digits
needs to be nonzero as a double to the largest that printing the smallest double needs.
"""

MIN = -342
MAX = 324


def significand(k: int) -> int:
    """The power's 128 leading bits, rounded up."""
    power: int = 10 ** abs(k)
    if k >= 0:
        shift = power.bit_length() - 128
        return -(-power >> shift) if shift > 0 else power << -shift
    shift = 127 + power.bit_length()  # no power of ten below 1 is a power of two
    return -(-(1 << shift) // power)


def main() -> None:
    """Print the header."""
    print("/* powers.h: powers of ten, see json_power(); written by powers.py. */\n")
    print(f"enum {{ JSON_POWER_MIN = {MIN}, JSON_POWER_MAX = {MAX} }};\n")
    print("static const struct json_power powers[] = {")
    pairs = [divmod(significand(k), 2**64) for k in range(MIN, MAX + 1)]
    cells = [f"{{0x{high:016x}, 0x{low:016x}}}," for high, low in pairs]
    cells.append("")
    for left, right in zip(cells[::2], cells[1::2]):
        print(f"    {left} {right}".rstrip())
    print("};")


if __name__ == "__main__":
    main()
