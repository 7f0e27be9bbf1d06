"""Write the workload documents: generate.py OUTDIR makes OUTDIR/train and OUTDIR/eval.

Training and evaluation documents have different seeds, schemas and mixes: what they share is
that they are JSON as services, catalogues, instruments and logs write it.
"""

import json
import math
import pathlib
import random
import sys
from collections.abc import Callable
from typing import Any

Json = Any

ENGLISH = (
    "the of and to in is that for it with as was on be at by this have from or had not are but "
    "what all were when we there can an your which their said if do will each about how up out "
    "them then she many some so these would other into has more her two like him see time could "
    "no make than first been its who now people my made over did down only way find use may "
    "water long little very after words called just where most know"
).split()
GERMAN = (
    "der die das und ist nicht für über schön Straße größer müssen können wäre Übung Äpfel heiß "
    "früh spät grün weiß Füße hören ändern öffnen zurück natürlich"
).split()
JAPANESE = "今日 東京 天気 が いい です ね 新しい 写真 を 見て ください 明日 の 会議 ありがとう 猫 電車".split()
RUSSIAN = "сегодня очень хороший день мы идём домой новая книга город время работа привет".split()
EMOJI = "😀 🎉 ❤️ 🚀 👍 😂 🌍".split()
BRANDS = "Acme Borealis Cobalt Delphi Ember Fjord Granite Harbor Indigo Juniper".split()
MATERIALS = "oak steel glass wool cotton bamboo ceramic leather copper linen".split()
LEVELS = ["debug", "info", "info", "info", "warning", "error"]


def words(rng: random.Random, source: list[str], count: int) -> str:
    """So many words of a list."""
    return " ".join(source[rng.randrange(len(source))] for _ in range(count))


def timestamp(rng: random.Random) -> str:
    """A time in 2025 or 2026, ISO 8601."""
    return (
        f"{2025 + rng.randrange(2)}-{1 + rng.randrange(12):02}-{1 + rng.randrange(28):02}"
        f"T{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}Z"
    )


def normal(rng: random.Random) -> float:
    """A standard normal deviate (Box and Muller)."""
    return math.sqrt(-2 * math.log(1 - rng.random())) * math.cos(2 * math.pi * rng.random())


def catalog(rng: random.Random) -> Json:
    """Train: categories within categories, with products that have variants."""

    def product() -> Json:
        return {
            "sku": f"{rng.getrandbits(40):010X}",
            "name": f"{BRANDS[rng.randrange(10)]} {words(rng, ENGLISH, 3)}",
            "price": round(rng.random() * 300, 2),
            "stock": rng.randrange(500),
            "tags": [MATERIALS[rng.randrange(10)] for _ in range(rng.randrange(4))],
            "variants": [
                {"color": f"#{rng.getrandbits(24):06x}", "size": rng.randrange(30, 60)}
                for _ in range(rng.randrange(4))
            ],
            "discontinued": rng.random() < 0.1,
        }

    def category(level: int) -> Json:
        return {
            "id": rng.getrandbits(24),
            "title": words(rng, ENGLISH, 2),
            "products": [product() for _ in range(rng.randrange(4, 12))],
            "children": [category(level - 1) for _ in range(3)] if level else [],
        }

    return {"generated": timestamp(rng), "root": category(4)}


def posts(rng: random.Random) -> Json:
    """Train: forum posts, with quotations, line ends and some German."""

    def post(number: int) -> Json:
        text = words(rng, ENGLISH, rng.randrange(10, 60))
        if rng.random() < 0.4:
            text += f'\n\n> "{words(rng, ENGLISH, 8)}"\n'
        if rng.random() < 0.3:
            text += words(rng, GERMAN, rng.randrange(5, 30))
        return {
            "id": 700000 + number,
            "author": {"name": words(rng, ENGLISH, 2), "karma": rng.randrange(-20, 9000)},
            "posted": timestamp(rng),
            "path": f"C:\\forum\\{rng.randrange(100)}\\{number}.txt",
            "body": text,
            "parent": None if rng.random() < 0.3 else 700000 + rng.randrange(number + 1),
            "edited": rng.random() < 0.2,
        }

    return [post(n) for n in range(1500)]


def samples(rng: random.Random) -> Json:
    """Train: channels of an instrument: rounded readings, some at full precision."""

    def channel(number: int) -> Json:
        level, digits = 20.0 * number, 2 + number % 4
        readings = []
        for _ in range(2500):
            level += normal(rng)
            readings.append(round(level, digits) if number % 5 else level)
        return {"channel": number, "unit": "mV", "offset": -0.5 * number, "readings": readings}

    return {"start": 1767225600, "channels": [channel(n) for n in range(16)]}


def records(rng: random.Random) -> Json:
    """Train: log records, small and flat."""
    return [
        {
            "t": 1767225600000 + 37 * n + rng.randrange(37),
            "level": LEVELS[rng.randrange(6)],
            "host": f"node-{rng.randrange(40):02}",
            "ms": round(rng.random() * 90, 1),
            "ok": rng.random() < 0.9,
            "msg": words(rng, ENGLISH, rng.randrange(2, 7)),
        }
        for n in range(6000)
    ]


def tweets(rng: random.Random) -> Json:
    """Eval: short messages in several scripts, users, entities with indices, many nulls."""

    def text() -> str:
        draw = rng.random()
        if draw < 0.5:
            parts = [words(rng, ENGLISH, rng.randrange(5, 20))]
        elif draw < 0.8:
            parts = [words(rng, JAPANESE, rng.randrange(5, 25)).replace(" ", "")]
        else:
            parts = [words(rng, RUSSIAN, rng.randrange(4, 14))]
        if rng.random() < 0.4:
            parts.append(EMOJI[rng.randrange(len(EMOJI))])
        if rng.random() < 0.3:
            parts.append(f"https://t.example/{rng.getrandbits(40):x}")
        return "\n".join(parts) if rng.random() < 0.2 else " ".join(parts)

    def user() -> Json:
        number = rng.getrandbits(31)
        return {
            "id": number,
            "id_str": str(number),
            "screen_name": words(rng, ENGLISH, 2).replace(" ", "_"),
            "location": "" if rng.random() < 0.5 else words(rng, JAPANESE, 1),
            "description": text(),
            "url": None,
            "followers_count": rng.randrange(20000),
            "verified": False,
            "lang": "ja" if rng.random() < 0.5 else "en",
            "profile_image_url": f"http://img.example/{number}/{rng.getrandbits(32):x}.png",
        }

    def entities() -> Json:
        start = rng.randrange(100)
        tag = {"text": words(rng, ENGLISH, 1), "indices": [start, start + 9]}
        return {"hashtags": [tag] if rng.random() < 0.3 else [], "symbols": [], "urls": []}

    def status() -> Json:
        number = rng.getrandbits(59)
        tweet = {
            "created_at": timestamp(rng),
            "id": number,
            "id_str": str(number),
            "text": text(),
            "source": '<a href="http://app.example/" rel="nofollow">App</a>',
            "in_reply_to_status_id": None,
            "in_reply_to_user_id": None,
            "user": user(),
            "geo": None,
            "retweet_count": rng.randrange(200),
            "entities": entities(),
            "favorited": False,
        }
        if rng.random() < 0.3:
            tweet["retweeted_status"] = {"id": rng.getrandbits(59), "text": text(), "user": user()}
        return tweet

    return {"statuses": [status() for _ in range(1800)], "search_metadata": {"count": 1800}}


def numbers(rng: random.Random) -> Json:
    """Eval: a mesh: coordinates at full precision, weights, exponents, indices."""
    vertices = [[normal(rng), normal(rng) * 10, rng.random()] for _ in range(7000)]
    spectrum = [normal(rng) * 10.0 ** rng.randrange(-12, 25) for _ in range(6000)]
    heights = [round(400 + 80 * normal(rng), 3) for _ in range(30000)]
    faces = [[rng.randrange(7000) for _ in range(3)] for _ in range(9000)]
    return {"vertices": vertices, "spectrum": spectrum, "heights": heights, "faces": faces}


def nested(rng: random.Random) -> Json:
    """Eval: the tree of a user interface, 41 levels deep, most nodes with one child."""

    def node(level: int) -> Json:
        count = 0 if level == 0 else 1 if rng.random() < 0.75 else 1 + rng.randrange(3)
        item: dict[str, Json] = {
            "type": ["box", "row", "text", "button"][rng.randrange(4)],
            "id": f"n{rng.getrandbits(28)}",
            "style": {
                "margin": [rng.randrange(16) for _ in range(4)],
                "flex": rng.randrange(8) / 4,
                "hidden": rng.random() < 0.1,
            },
        }
        if rng.random() < 0.3:
            item["label"] = words(rng, MATERIALS, 2)
        item["children"] = [node(level - 1) for _ in range(count)]
        return item

    return {"version": 3, "windows": [node(18) for _ in range(26)]}


def objects(rng: random.Random) -> Json:
    """Eval: geographic points with optional properties."""

    def point(number: int) -> Json:
        properties: dict[str, Json] = {"kind": ["shop", "stop", "tree", "bench"][rng.randrange(4)]}
        if rng.random() < 0.4:
            properties["name"] = words(rng, GERMAN, 2)
        if rng.random() < 0.2:
            properties["wheelchair"] = rng.random() < 0.5
        position = [round(6 + 9 * rng.random(), 7), round(47 + 8 * rng.random(), 7)]
        return {"id": number, "properties": properties, "at": position}

    return {"type": "points", "points": [point(n) for n in range(18000)]}


def minified(value: Json) -> str:
    """As machines write it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def escaped(value: Json) -> str:
    r"""ASCII only, with \u escapes."""
    return json.dumps(value, ensure_ascii=True)


def indented(value: Json) -> str:
    """As people read it."""
    return json.dumps(value, ensure_ascii=False, indent=1)


DOCUMENTS: list[tuple[str, int, Callable[[random.Random], Json], Callable[[Json], str]]] = [
    ("train/catalog.json", 101, catalog, indented),
    ("train/posts.json", 102, posts, escaped),
    ("train/samples.json", 103, samples, minified),
    ("train/records.json", 104, records, minified),
    ("eval/tweets.json", 901, tweets, minified),
    ("eval/numbers.json", 902, numbers, minified),
    ("eval/nested.json", 903, nested, minified),
    ("eval/objects.json", 904, objects, escaped),
]


def main(argv: list[str]) -> int:
    """Write all documents below the directory that is the only argument."""
    if len(argv) != 2:
        print("usage: generate.py OUTDIR", file=sys.stderr)
        return 2
    for name, seed, make, write in DOCUMENTS:
        path = pathlib.Path(argv[1], name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(write(make(random.Random(seed))) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
