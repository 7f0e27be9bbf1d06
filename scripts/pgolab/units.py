"""Values of settings as numbers: percentages, durations, amounts of work."""

import math
import re

from pgolab.errors import Failure

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def fraction(name: str, text: str) -> float:
    """'1%' or '0.01' as 0.01; Failure unless 0 < value < 1."""
    match = re.fullmatch(r"([0-9]*\.?[0-9]+)(%?)", text)
    value = float(match[1]) / (100 if match[2] else 1) if match else math.nan
    if not 0 < value < 1:
        raise Failure(f"{name} is '{text}'", "it is a percentage such as 1% or 0.5%")
    return value


def seconds(name: str, text: str) -> float:
    """'60s', '15m' or '1h' as seconds; Failure unless positive."""
    match = re.fullmatch(r"([0-9]*\.?[0-9]+)(ms|s|m|h)", text)
    value = float(match[1]) * _SECONDS[match[2]] if match else math.nan
    if not 0 < value < math.inf:
        raise Failure(f"{name} is '{text}'", "it is a time such as 60s, 15m or 1h")
    return value


def count(name: str, text: str) -> int:
    """A whole number from 1 on."""
    if not re.fullmatch(r"[1-9][0-9]{0,5}", text):
        raise Failure(f"{name} is '{text}'", "it is a whole number from 1 on")
    return int(text)


def choice(name: str, text: str, valid: tuple[str, ...]) -> str:
    """One of the valid words."""
    if text not in valid:
        raise Failure(f"{name} is '{text}'", f"it can be {' or '.join(valid)}")
    return text


def work(name: str, text: str) -> tuple[float, str]:
    """'2.1 MB' as (2.1, 'MB')."""
    match = re.fullmatch(r"([0-9]*\.?[0-9]+) +(\S.*)", text)
    if not match or float(match[1]) <= 0:
        raise Failure(f"{name} is '{text}'", "it is an amount with its unit, such as 2.1 MB")
    return float(match[1]), match[2]
