#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares what recognition makes of the exports of one architecture.

Usage: compare_structure.py LLMC DEV_FOLDER [ARCHITECTURE...]

DEV_FOLDER holds one folder per model, named <exporter>-<architecture>. For each architecture
(default: all) every graph of every exporter must have the same histogram of llm operations in
each layer, and nothing unmatched. Prints a line per architecture; exit code 1 on a difference.
"""

import collections
import glob
import json
import os
import subprocess
import sys


def structure(llmc, path):
    """Functions of `path` that have layers, or an error text."""
    run = subprocess.run([llmc, "inspect", "--graph", "--json", path], capture_output=True,
                         text=True, check=False)
    if run.returncode != 0:
        return None, (run.stderr.strip().splitlines() or ["no output"])[0]
    return json.loads(run.stdout), None


def main():
    if len(sys.argv) < 3 or sys.argv[1] in ("-h", "--help"):
        print(__doc__.strip())
        return 0 if sys.argv[1:2] in (["-h"], ["--help"]) else 2
    llmc, folder, wanted = sys.argv[1], sys.argv[2], sys.argv[3:]
    graphs = collections.defaultdict(list)
    for path in sorted(glob.glob(os.path.join(folder, "*", "*.onnx"))):
        model = os.path.basename(os.path.dirname(path))
        graphs[model.rsplit("-", 1)[1]].append(path)
    unknown = [name for name in wanted if name not in graphs]
    if unknown or not graphs:
        print(f"compare_structure: no models of {unknown or folder}", file=sys.stderr)
        return 2

    problems = 0
    for name in wanted or sorted(graphs):
        kinds = collections.defaultdict(list)  # layers as text -> graphs
        for path in graphs[name]:
            label = os.path.relpath(path, folder)
            functions, error = structure(llmc, path)
            if error:
                print(f"{name}: {label}: {error}")
                problems += 1
                continue
            for function in functions:
                for left in function["unmatched"]:
                    print(f"{name}: {label}: {left['pattern']} at '{left['node']}': "
                          f"{left['reason']}")
                    problems += 1
                # Encoder and decoder, and a decoder that is given the projections of the
                # encoder's states, are structures of their own by their nature.
                part = ("encoder" if "encoder_model" in path
                        else "decoder with past" if "with_past" in path else "decoder")
                kinds[part, json.dumps(function["layers"], sort_keys=True)].append(label)
        parts = collections.Counter(part for part, _ in kinds)
        for part, count in parts.items():
            same = [labels for (which, _), labels in kinds.items() if which == part]
            if count > 1:
                problems += 1
                print(f"{name}: {count} structures:")
                for (which, layers), labels in kinds.items():
                    if which == part:
                        print(f"  {', '.join(sorted(set(labels)))}:\n    {layers}")
            else:
                print(f"{name} {part}: {len(set(same[0]))} graphs alike")
    print(f"{problems} problems" if problems else "ok: every architecture has one structure")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
