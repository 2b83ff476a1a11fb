# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints the messages with which an editor starts and ends a language server."""

import json
import sys

for message in [
        {"jsonrpc": "2.0", "id": 0, "method": "initialize",
         "params": {"processId": None, "rootUri": None, "capabilities": {}}},
        {"jsonrpc": "2.0", "id": 1, "method": "shutdown", "params": None},
        {"jsonrpc": "2.0", "method": "exit", "params": None}]:
    text = json.dumps(message)
    sys.stdout.write("Content-Length: %d\r\n\r\n%s" % (len(text), text))
