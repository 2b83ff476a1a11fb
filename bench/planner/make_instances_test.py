#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests of make_instances.py. Run it without arguments."""
import contextlib
import io
import os
import random
import tempfile
import unittest

import make_instances
from make_instances import CAPACITY, RECIPES


def overlap(a, b):
    return (a.lower < b.upper and b.lower < a.upper and a.bottom < b.top and b.bottom < a.top)


class InstancesTest(unittest.TestCase):
    def test_eleven_instances(self):
        self.assertEqual([r.name for r in RECIPES], list("ABCDEFGHIJK"))

    def test_places_are_a_plan_and_the_bound_is_the_capacity(self):
        for recipe in RECIPES:
            boxes = make_instances.make(recipe, seed=1)
            self.assertEqual(make_instances.lower_bound(boxes), CAPACITY)
            self.assertTrue(100 <= len(boxes) <= 460, recipe.name)
            for i, box in enumerate(boxes):
                self.assertTrue(0 <= box.lower < box.upper <= recipe.steps)
                self.assertTrue(0 <= box.bottom < box.top <= CAPACITY)
                self.assertEqual(box.height % recipe.unit, 0)
                self.assertFalse(any(overlap(box, other) for other in boxes[:i]), recipe.name)

    def test_nothing_is_left_over_where_nothing_is_removed(self):
        for recipe in RECIPES:
            area = sum(b.width * b.height for b in make_instances.make(recipe, seed=1))
            whole = recipe.steps * CAPACITY
            if recipe.removed or recipe.shortened:
                self.assertLess(area, whole)
            else:
                self.assertEqual(area, whole)

    def test_pinwheels_need_no_straight_cut(self):
        boxes = make_instances.cut_pinwheel(
            random.Random(1), make_instances.Box(0, 100, 0, CAPACITY), RECIPES[0])
        self.assertEqual(len(boxes), 5)
        for at in {b.lower for b in boxes} - {0}:
            self.assertTrue(any(b.lower < at < b.upper for b in boxes))

    def test_same_arguments_give_the_same_files(self):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            texts = []
            for name, seed in (("a", 1), ("b", 1), ("c", 2)):
                make_instances.write(os.path.join(folder, name), seed)
                with open(os.path.join(folder, name, f"K.{CAPACITY}.csv")) as file:
                    texts.append(file.read())
        self.assertEqual(texts[0], texts[1])
        self.assertNotEqual(texts[0], texts[2])
        self.assertTrue(texts[0].startswith("id,lower,upper,size\n0,"))

    def test_random_instances(self):
        names = make_instances.random_names()
        self.assertGreaterEqual(len(names), 80)
        self.assertEqual(len(set(names)), len(names))
        for name in names:
            buffers = make_instances.make_random(name, 300, seed=1)
            self.assertEqual(len(buffers), 300)
            for buffer in buffers:
                self.assertTrue(0 <= buffer.lower < buffer.upper <= make_instances.STEPS, name)
                self.assertGreater(buffer.size, 0)
            edges = [b for b in buffers if b.alias or b.in_place]
            self.assertEqual(bool(edges), name.endswith("-edges"), name)
            for buffer in edges:
                self.assertIsNot(buffers[int(buffer.alias or buffer.in_place)], buffer)

    def test_sizes_and_lifetimes_are_tied(self):
        def mean_size_of_long_over_short(kind):
            buffers = make_instances.make_random(f"uniform-uniform-{kind}", 1000, seed=1)
            buffers.sort(key=lambda b: b.upper - b.lower)
            return sum(b.size for b in buffers[500:]) / sum(b.size for b in buffers[:500])
        self.assertGreater(mean_size_of_long_over_short("long"), 2)
        self.assertLess(mean_size_of_long_over_short("brief"), 0.5)
        self.assertTrue(0.9 < mean_size_of_long_over_short("free") < 1.1)


if __name__ == "__main__":
    unittest.main()
