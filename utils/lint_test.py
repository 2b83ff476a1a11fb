#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests of lint.py. Run it without arguments."""
import unittest

import lint

HEAD = "// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception\n"


def rules(path, body, head=HEAD):
    return [rule for _, rule, _ in lint.check_file(path, head + body)]


class WallTest(unittest.TestCase):
    def test_runtime(self):
        self.assertEqual(rules("lib/Runtime/a.cpp", '#include "llvm/ADT/Twine.h"\n'), ["wall"])
        self.assertEqual(rules("lib/Runtime/a.cpp", "#include <iostream>\n"), ["wall"])
        self.assertEqual(rules("lib/Runtime/a.cpp", '#include "llmc-c/Runtime.h"\n#include <cstdio>\n'), [])

    def test_c_headers(self):
        guard = "#ifndef LLMC_C_A_H\n#define LLMC_C_A_H\n%s#endif\n"
        self.assertEqual(rules("include/llmc-c/A.h", guard % "#include <vector>\n"), ["wall"])
        self.assertEqual(rules("include/llmc-c/A.h", guard % "#include <stdint.h>\n"), [])

    def test_import_and_codegen(self):
        self.assertEqual(rules("lib/Import/ONNX/a.cpp", '#include "llmc/Transforms/Passes.h"\n'), ["wall"])
        self.assertEqual(rules("lib/Import/ONNX/a.cpp", "#include <onnx/onnx_pb.h>\n"), [])
        self.assertEqual(rules("lib/CodeGen/a.cpp", '#include "llmc/Import/ONNX/Importer.h"\n'), ["wall"])
        self.assertEqual(rules("lib/CodeGen/a.cpp", '#include "../Runtime/Core/Module.h"\n'), ["wall"])
        self.assertEqual(rules("lib/CodeGen/a.cpp", '#include "llmc-c/ModuleABI.h"\n'), [])
        self.assertEqual(rules("lib/Transforms/a.cpp", "#include <onnx/onnx_pb.h>\n"), ["wall"])

    def test_comments_do_not_count(self):
        self.assertEqual(rules("lib/Runtime/a.cpp", '// #include "llvm/x.h"\n/*\n#include "mlir/y.h"\n*/\n'), [])

    def test_globals(self):
        self.assertEqual(rules("lib/Support/a.cpp", 'auto *x = std::getenv("X");\n'), ["global"])
        self.assertEqual(rules("lib/Transforms/a.cpp", "llvm::cl::opt<int> x;\n"), ["global"])
        self.assertEqual(rules("tools/llmc/a.cpp", "llvm::cl::opt<int> x;\n"), [])
        self.assertEqual(rules("lib/Support/a.cpp", "// never getenv\n"), [])


class FileTest(unittest.TestCase):
    def test_guard(self):
        self.assertEqual(rules("lib/A/B.h", "int x;\n"), ["guard"])
        self.assertEqual(rules("lib/A/B.h", "#pragma once\n"), ["guard"])
        self.assertEqual(rules("lib/A/B.h", "#ifndef LLMC_A_C_H\n#define LLMC_A_C_H\n#endif\n"), ["guard"])
        self.assertEqual(rules("lib/A/B.h", "#ifndef LLMC_A_B_H\n#define LLMC_A_B_H\n#endif\n"), [])

    def test_licence(self):
        self.assertEqual(rules("lib/A/b.cpp", "int x;\n", head=""), ["licence"])

    def test_length(self):
        self.assertEqual(rules("lib/A/b.cpp", "\n" * 900), ["length"])
        self.assertEqual(rules("lib/A/b.cpp", "// lint: long because it is one table\n" + "\n" * 900), [])

    def test_todo(self):
        self.assertEqual(rules("lib/A/b.cpp", "// TODO: later\n"), ["todo"])
        self.assertEqual(rules("lib/A/b.cpp", "// TODO(#12): later\n// TODO(when GCC 13 is the oldest)\n"), [])

    def test_path(self):
        self.assertEqual(rules("lib/A/b.cpp", 'auto x = "/home/me/models";\n'), ["path"])
        self.assertEqual(rules("scripts/x", "$root/out/x ../out/y /tmp/z\n"), [])


if __name__ == "__main__":
    unittest.main()
