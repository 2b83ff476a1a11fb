#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes hard instances for llmc-plan: A.1048576.csv to K.1048576.csv.

Each is a rectangle, capacity times time, cut into boxes: a plan within the capacity
exists, and the lower bound (the largest sum of sizes alive at once) is the capacity.
Cuts are straight ones, through the whole of a piece, and pinwheels of five boxes, which no
straight cuts make. Some instances then lose boxes or parts of lifetimes, never at the
times that keep the bound. Rows are shuffled. The same arguments give the same bytes.
"""
import argparse
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
    args = parser.parse_args()
    write(args.folder, args.seed)


if __name__ == "__main__":
    main()
