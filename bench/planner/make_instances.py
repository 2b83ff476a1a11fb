#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes instances for llmc-plan. The same arguments give the same bytes.

Hard ones, A.1048576.csv to K.1048576.csv: a rectangle, capacity times time, cut into
boxes, so a plan within the capacity exists, and the lower bound (the largest sum of sizes
alive at once) is the capacity. Cuts are straight ones, through the whole of a piece, and
pinwheels of five boxes, which no straight cuts make. Some instances then lose boxes or
parts of lifetimes, never at the times that keep the bound. Rows are shuffled.

Random ones, with --random: SIZES-LIFETIMES-TIE[-edges].csv of --count buffers for every
distribution of sizes and of lifetimes. TIE says what sizes and lifetimes have to do with
each other: "free" nothing, "long" the larger mostly lives longer, "brief" shorter. With
edges up to a third of the buffers may begin in place of another, and some are aliases.
"""
import argparse
import bisect
import itertools
import os
import random
from dataclasses import dataclass, replace

CAPACITY = 1 << 20


@dataclass(frozen=True)
class Box:
    lower: int
    upper: int
    bottom: int
    top: int

    @property
    def width(self):
        return self.upper - self.lower

    @property
    def height(self):
        return self.top - self.bottom


@dataclass(frozen=True)
class Recipe:
    """How one instance is cut: see cut() and thin_out() for the numbers."""
    name: str
    count: int  # boxes before any is removed
    steps: int  # length of time
    unit: int  # sizes are multiples
    pinwheels: float = 0.0  # share of cuts
    layers: int = 0  # first cut time into so many, as the layers of a model are
    long_lived: int = 0  # thin boxes over all of time before anything else is cut
    flat: float = 1.0  # above 1: long and thin boxes, below 1: short and fat ones
    removed: float = 0.0  # share of boxes taken away
    shortened: float = 0.0  # share of boxes that live shorter than they could


RECIPES = [
    Recipe("A", 160, 2000, 1024),
    Recipe("B", 180, 3000, 1024, pinwheels=0.5),
    Recipe("C", 220, 3000, 4096, pinwheels=0.3, flat=0.3),
    Recipe("D", 300, 5000, 1024, pinwheels=0.2, layers=12, long_lived=4),
    Recipe("E", 250, 4000, 512, pinwheels=1.0, removed=0.1),
    Recipe("F", 300, 4000, 1024, layers=6, flat=4.0, shortened=0.3),
    Recipe("G", 350, 6000, 2048, pinwheels=0.3, layers=24, long_lived=8, removed=0.15),
    Recipe("H", 400, 8000, 1024, pinwheels=0.4, flat=0.5, removed=0.2, shortened=0.2),
    Recipe("I", 400, 8000, 1024, layers=16, long_lived=12, shortened=0.3, removed=0.1),
    Recipe("J", 450, 10000, 256, pinwheels=0.3, layers=32, flat=0.3),
    Recipe("K", 450, 10000, 1024, pinwheels=0.2, layers=3, long_lived=2, flat=2.0,
           removed=0.1, shortened=0.1),
]


def between(rng, low, high, unit):
    """A multiple of `unit` strictly between, away from the ends; None if there is none."""
    first, last = low // unit + 1, (high - 1) // unit
    if first > last:
        return None
    span = last - first
    return rng.randint(first + span // 5, last - span // 5) * unit


def cut_straight(rng, box, recipe):
    """Two boxes; across time or across memory, by shape."""
    width = box.width / recipe.steps
    height = box.height / CAPACITY * recipe.flat
    cut_time = rng.random() < width / (width + height)
    if cut_time:
        at = between(rng, box.lower, box.upper, 1)
        return at and [replace(box, upper=at), replace(box, lower=at)]
    at = between(rng, box.bottom, box.top, recipe.unit)
    return at and [replace(box, top=at), replace(box, bottom=at)]


def cut_pinwheel(rng, box, recipe):
    """Four boxes around a fifth, none of which reaches across."""
    times = sorted({between(rng, box.lower, box.upper, 1) for _ in range(2)} - {None})
    places = sorted({between(rng, box.bottom, box.top, recipe.unit) for _ in range(2)} - {None})
    if len(times) < 2 or len(places) < 2:
        return None
    (t0, t1), (p0, p1) = times, places
    wheel = [Box(box.lower, t1, box.bottom, p0), Box(t1, box.upper, box.bottom, p1),
             Box(t0, box.upper, p1, box.top), Box(box.lower, t0, p0, box.top),
             Box(t0, t1, p0, p1)]
    if rng.random() < 0.5:  # turn the other way
        wheel = [replace(b, lower=box.lower + box.upper - b.upper,
                         upper=box.lower + box.upper - b.lower) for b in wheel]
    return wheel


def cut(rng, recipe):
    """Cuts the rectangle, mostly its largest boxes, until there are enough."""
    bottom = 0
    boxes = []
    for _ in range(recipe.long_lived):
        height = rng.randint(1, max(1, CAPACITY // 100 // recipe.unit)) * recipe.unit
        boxes.append(Box(0, recipe.steps, bottom, bottom + height))
        bottom += height
    edges = [0, recipe.steps]
    if recipe.layers:
        edges = [recipe.steps * i // recipe.layers for i in range(recipe.layers + 1)]
    # Boxes over two layers tie the layers together, as residuals do.
    pieces = [Box(a, b, bottom, CAPACITY) for a, b in zip(edges, edges[1:])]
    for i in range(len(pieces) - 1):
        if recipe.layers and i % 2 == 0:
            height = rng.randint(1, max(1, CAPACITY // 8 // recipe.unit)) * recipe.unit
            boxes.append(Box(pieces[i].lower, pieces[i + 1].upper, bottom, bottom + height))
            for j in (i, i + 1):
                pieces[j] = replace(pieces[j], bottom=bottom + height)
    while len(pieces) + len(boxes) < recipe.count:
        chosen = max(rng.sample(range(len(pieces)), min(4, len(pieces))),
                     key=lambda i: pieces[i].width / recipe.steps * pieces[i].height)
        maker = cut_pinwheel if rng.random() < recipe.pinwheels else cut_straight
        parts = maker(rng, pieces[chosen], recipe)
        if parts:
            pieces[chosen:chosen + 1] = parts
    return boxes + pieces


def thin_out(rng, boxes, recipe):
    """Removes boxes and shortens lifetimes, but not at three times that stay full."""
    full = [rng.randrange(recipe.steps) for _ in range(3)]
    result = []
    for box in boxes:
        inside = [t for t in full if box.lower <= t < box.upper]
        if not inside and rng.random() < recipe.removed:
            continue
        if rng.random() < recipe.shortened:
            lower = rng.randint(box.lower, min(inside + [box.upper - 1]))
            upper = rng.randint(max(inside + [lower]) + 1, box.upper)
            box = replace(box, lower=lower, upper=upper)
        result.append(box)
    return result


def lower_bound(boxes):
    changes = sorted((t, s) for b in boxes for t, s in ((b.lower, b.height), (b.upper, -b.height)))
    live = bound = 0
    for _, change in changes:
        live += change
        bound = max(bound, live)
    return bound


def make(recipe, seed):
    """The boxes of an instance, shuffled; their places are a plan within CAPACITY."""
    rng = random.Random(f"{seed} {recipe.name}")
    boxes = thin_out(rng, cut(rng, recipe), recipe)
    rng.shuffle(boxes)
    assert lower_bound(boxes) == CAPACITY
    return boxes


STEPS = 10_000  # of random instances

# One size in bytes.
SIZES = {
    "uniform": lambda rng: rng.randint(1, 1 << 20),
    "loguniform": lambda rng: int(2 ** rng.uniform(8, 30)),
    "pareto": lambda rng: min(1 << 34, int(256 * rng.paretovariate(1.1))),
    "few": lambda rng: rng.choice((96, 1000, 4096, 11008, 65536, 131072, 524288, 1376256)),
    "powers": lambda rng: 1 << rng.randint(8, 24),
}


def spans(rng, length):
    """A lifetime of that many steps, somewhere."""
    length = max(1, min(STEPS, length))
    lower = rng.randint(0, STEPS - length)
    return lower, lower + length


def uniform_lifetimes(rng, count):
    return [tuple(sorted(rng.sample(range(STEPS + 1), 2))) for _ in range(count)]


def exponential_lifetimes(rng, count):
    return [spans(rng, int(rng.expovariate(1 / 20)) + 1) for _ in range(count)]


def heavy_lifetimes(rng, count):
    return [spans(rng, int(rng.paretovariate(0.8))) for _ in range(count)]


def mixed_lifetimes(rng, count):
    """Nine of ten live for a few steps, the others for up to all."""
    return [spans(rng, rng.randint(1, 5) if rng.random() < 0.9 else rng.randint(1000, STEPS))
            for _ in range(count)]


def nested_lifetimes(rng, count):
    """No two cross: as calls within calls, or blocks within blocks."""
    result = []
    open_spans = [(0, STEPS)]
    while len(result) < count:
        at = rng.randrange(len(open_spans))
        lower, upper = open_spans[at]
        result.append((lower, upper))
        if upper - lower < 4:
            continue
        cut = rng.randint(lower + 1, upper - 1)
        margin = rng.randint(0, min(2, cut - lower - 1, upper - cut - 1))
        open_spans[at] = (lower + margin, cut)
        open_spans.append((cut, upper - margin))
    return result


LIFETIMES = {
    "uniform": uniform_lifetimes,
    "exponential": exponential_lifetimes,
    "heavy": heavy_lifetimes,
    "mixed": mixed_lifetimes,
    "nested": nested_lifetimes,
}
TIES = ("free", "long", "brief")
WITH_EDGES = ("uniform", "exponential", "mixed")  # lifetimes


@dataclass
class Buffer:
    lower: int
    upper: int
    size: int
    alias: str = ""  # id of another that is the same block
    in_place: str = ""  # id of another in whose place it may begin


def tie(rng, sizes, lifetimes, kind):
    """Lifetimes in another order: with their sizes, against them, or neither; with noise."""
    if kind == "free":
        return lifetimes
    sign = 1 if kind == "long" else -1
    spread = len(sizes) / 10
    by_size = sorted(range(len(sizes)), key=lambda i: sizes[i])
    by_length = sorted(lifetimes, key=lambda span: sign * (span[1] - span[0]))
    noisy = sorted(range(len(sizes)), key=lambda rank: rank + rng.gauss(0, spread))
    result = list(lifetimes)
    for i, rank in zip(by_size, noisy):
        result[i] = by_length[rank]
    return result


def add_edges(rng, buffers):
    """Moves a third so that each begins in the last step of another."""
    ends = sorted((b.upper, i) for i, b in enumerate(buffers))
    for i in rng.sample(range(len(buffers)), len(buffers) // 3):
        buffer = buffers[i]
        upper, before = ends[bisect.bisect_left(ends, (buffer.lower + 1, 0)) % len(ends)]
        length = buffer.upper - buffer.lower
        # The other must not have moved meanwhile, must begin earlier, and end later than 0.
        if (before != i and buffers[before].upper == upper and upper - 1 + length <= STEPS and
                buffers[before].lower < upper - 1):
            buffer.lower, buffer.upper = upper - 1, upper - 1 + length
            buffer.in_place = str(before)
    for i in rng.sample(range(len(buffers)), len(buffers) // 50):
        near = rng.randrange(len(buffers))
        if near != i and not (buffers[i].in_place or buffers[near].in_place):
            length = buffers[i].upper - buffers[i].lower
            if buffers[near].upper - 1 + length <= STEPS:
                buffers[i].lower = buffers[near].upper - 1
                buffers[i].upper = buffers[i].lower + length
                buffers[i].alias = str(near)


def random_names():
    plain = itertools.product(SIZES, LIFETIMES, TIES, ("",))
    edges = itertools.product(SIZES, WITH_EDGES, ("free",), ("-edges",))
    return ["-".join(parts[:3]) + parts[3] for parts in itertools.chain(plain, edges)]


def make_random(name, count, seed):
    """The buffers of one random instance."""
    rng = random.Random(f"{seed} {name}")
    size, lifetime, kind, *edges = name.split("-")
    sizes = [SIZES[size](rng) for _ in range(count)]
    lifetimes = tie(rng, sizes, LIFETIMES[lifetime](rng, count), kind)
    buffers = [Buffer(*span, size) for span, size in zip(lifetimes, sizes)]
    if edges:
        add_edges(rng, buffers)
    return buffers


def write_random(path, name, count, seed):
    edges = name.endswith("-edges")
    with open(path, "w", encoding="ascii", newline="\n") as file:
        file.write("id,lower,upper,size" + (",alias,in_place\n" if edges else "\n"))
        for i, b in enumerate(make_random(name, count, seed)):
            file.write(f"{i},{b.lower},{b.upper},{b.size}" +
                       (f",{b.alias},{b.in_place}\n" if edges else "\n"))


def write(folder, seed):
    os.makedirs(folder, exist_ok=True)
    for recipe in RECIPES:
        path = os.path.join(folder, f"{recipe.name}.{CAPACITY}.csv")
        with open(path, "w", encoding="ascii", newline="\n") as file:
            file.write("id,lower,upper,size\n")
            for i, box in enumerate(make(recipe, seed)):
                file.write(f"{i},{box.lower},{box.upper},{box.height}\n")
        print(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="where to write them")
    parser.add_argument("--seed", type=int, default=1, help="another set (default: 1)")
    parser.add_argument("--random", action="store_true", help="random instances, not hard ones")
    parser.add_argument("--count", type=int, default=10_000,
                        help="buffers of a random instance (default: 10000)")
    args = parser.parse_args()
    if args.random:
        os.makedirs(args.folder, exist_ok=True)
        for name in random_names():
            path = os.path.join(args.folder, f"{name}.csv")
            write_random(path, name, args.count, args.seed)
            print(path)
    else:
        write(args.folder, args.seed)


if __name__ == "__main__":
    main()
