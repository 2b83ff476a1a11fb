#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How far llmc and onnxruntime are from a float16 graph that is computed in float32.

Usage: f16_distance.py LLMC_BIN MODEL.onnx GOLDEN WORK

LLMC_BIN holds llmc and llmc-run; GOLDEN has a folder of input_*.pb per call. The reference is the
same graph with every float16 tensor as float32: the same weights, no rounding between operations.
Prints for each call and program the largest difference of any output from the reference as a part
of that output's largest magnitude. Needs the PyPI packages onnx, onnxruntime and numpy.
"""

import glob
import os
import re
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, numpy_helper


def widen(model):
    """Makes every float16 of `model` a float32."""
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT16:
            array = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    for value in [*model.graph.input, *model.graph.output, *model.graph.value_info]:
        if value.type.tensor_type.elem_type == TensorProto.FLOAT16:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name in ("to", "dtype") and attribute.i == TensorProto.FLOAT16:
                attribute.i = TensorProto.FLOAT
            if attribute.HasField("t") and attribute.t.data_type == TensorProto.FLOAT16:
                array = numpy_helper.to_array(attribute.t).astype(np.float32)
                attribute.t.CopyFrom(numpy_helper.from_array(array, attribute.t.name))
    return model


def session(model):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(model.SerializeToString(), options,
                                providers=["CPUExecutionProvider"])


def main():
    if len(sys.argv) != 5:
        print(__doc__.strip())
        return 0 if sys.argv[1:2] in (["-h"], ["--help"]) else 2
    tools, path, golden, work = sys.argv[1:]
    narrow, wide = session(onnx.load(path)), session(widen(onnx.load(path)))
    artifact = os.path.join(work, "f16.llmc")
    os.makedirs(work, exist_ok=True)
    subprocess.run([os.path.join(tools, "llmc"), "compile", path, "-o", artifact], check=True)
    for case in sorted(glob.glob(os.path.join(golden, "*", ""))):
        folder = os.path.join(work, os.path.basename(os.path.dirname(case)))
        os.makedirs(folder, exist_ok=True)
        feeds = {}
        for i, name in enumerate(sorted(glob.glob(case + "input_*.pb"))):
            with open(name, "rb") as file:
                tensor = onnx.TensorProto.FromString(file.read())
            feeds[tensor.name] = numpy_helper.to_array(tensor)
            with open(os.path.join(folder, f"input_{i}.pb"), "wb") as file:
                file.write(tensor.SerializeToString())
        reference = wide.run(None, {name: value.astype(np.float32) if value.dtype == np.float16
                                    else value for name, value in feeds.items()})
        largest = 0.0
        for i, (output, value, expected) in enumerate(
                zip(narrow.get_outputs(), narrow.run(None, feeds), reference)):
            if value.size:
                difference = np.nanmax(np.abs(value.astype(np.float64) - expected))
                largest = max(largest, difference / np.nanmax(np.abs(expected)))
            rounded = numpy_helper.from_array(expected.astype(value.dtype), output.name)
            with open(os.path.join(folder, f"output_{i}.pb"), "wb") as file:
                file.write(rounded.SerializeToString())
        run = subprocess.run([os.path.join(tools, "llmc-run"), "verify", artifact, folder],
                             capture_output=True, text=True, check=False)
        ours = max((float(x) for x in re.findall(r"max rel (\S+)", run.stdout)), default=np.nan)
        print(f"{os.path.basename(folder)}: onnxruntime {largest:.2e}, llmc {ours:.2e}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
