# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs required-sizes.onnxtxt with sizes that fit and sizes that do not; prints the exit code
and the error of each call."""
import argparse
import os
import subprocess

import numpy
from onnx import numpy_helper


def write(folder, name, array):
    with open(os.path.join(folder, name + ".pb"), "wb") as file:
        file.write(numpy_helper.from_array(array).SerializeToString())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--llmc-run", "--artifact", "--work"):
        parser.add_argument(name, required=True)
    options = parser.parse_args()
    for k, l, n, m in ((5, 7, 6, 3), (6, 7, 6, 3), (0, 0, 6, 3), (5, 7, 7, 3), (5, 7, 6, 0),
                       (5, 7, 0, 0)):
        sizes = "k = %d, l = %d, n = %d, m = %d" % (k, l, n, m)
        folder = os.path.join(options.work, sizes.replace(" ", ""))
        os.makedirs(folder)
        x = numpy.ones((2, 192), numpy.float32)
        weight = numpy.arange(576, dtype=numpy.float32).reshape(192, 3)
        inputs = [x] + [numpy.ones(size, numpy.float32) for size in (k, l, n, m)]
        outputs = [x @ weight, numpy.arange(12, dtype=numpy.float32) + 1,
                   numpy.ones((m, n // max(m, 1)), numpy.float32)]
        for kind, arrays in (("input", inputs), ("output", outputs)):
            for i, array in enumerate(arrays):
                write(folder, "%s_%d" % (kind, i), array)
        done = subprocess.run([options.llmc_run, "verify", options.artifact, folder],
                              capture_output=True, text=True)
        print("%s: %d %s" % (sizes, done.returncode, " ".join((done.stdout + done.stderr).split())))


if __name__ == "__main__":
    main()
