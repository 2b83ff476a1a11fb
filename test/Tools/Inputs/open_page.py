#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Opens a page of `llmc inspect --memory --html` in headless Chromium and prints what
its script drew. Fails where the browser does, or where the picture is blank."""

import argparse
import html.parser
import json
import pathlib
import re
import struct
import subprocess
import sys
import zlib


class Drawing(html.parser.HTMLParser):
    """The elements behind the script, and the plan that it was given."""

    def __init__(self):
        super().__init__()
        self.elements, self.plan, self.title = [], "", ""
        self.inside = None

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.elements.append((tag, attributes))
        self.inside = "plan" if attributes.get("id") == "plan" else tag

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside == "plan":
            self.plan += data
        elif self.inside == "title":
            self.title += data


def chromium(options, *arguments):
    command = [options.browser, "--headless", "--no-sandbox", "--disable-gpu",
               "--disable-dev-shm-usage", "--hide-scrollbars", "--window-size=1280,2400",
               "--user-data-dir=" + options.profile, *arguments,
               pathlib.Path(options.page).resolve().as_uri()]
    result = subprocess.run(command, capture_output=True, timeout=120)
    if result.returncode:
        sys.exit("the browser failed:\n" + result.stderr.decode(errors="replace"))
    return result.stdout.decode()


def pixels(png):
    """Width, height and the decompressed lines of a PNG file."""
    if png[:8] != b"\x89PNG\r\n\x1a\n":
        sys.exit("the screenshot is no PNG file")
    width, height = struct.unpack(">II", png[16:24])
    position, data = 8, b""
    while position < len(png):
        length, kind = struct.unpack(">I4s", png[position:position + 8])
        if kind == b"IDAT":
            data += png[position + 8:position + 8 + length]
        position += length + 12
    return width, height, zlib.decompress(data)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", required=True)
    parser.add_argument("--profile", required=True, help="an empty folder for the browser")
    parser.add_argument("--screenshot", required=True, help="where the PNG goes")
    parser.add_argument("--browser", default="chromium")
    options = parser.parse_args()

    drawing = Drawing()
    drawing.feed(chromium(options, "--dump-dom"))
    plan = json.loads(drawing.plan)
    by_class = lambda name: [a for _, a in drawing.elements if a.get("class") == name]
    rectangles = by_class("buffer")
    lost = [r for r in rectangles
            if not all(re.fullmatch(r"[0-9.e-]+", r.get(k, "")) for k in ("x", "y", "width", "height"))
            or float(r["width"]) <= 0]
    print("title:", drawing.title)
    print("svg:", sum(tag == "svg" for tag, _ in drawing.elements))
    print("buffers in the plan:", sum(len(phase["buffers"]) for phase in plan["phases"]))
    print("rectangles:", len(rectangles))
    print("rectangles without a place:", len(lost))
    print("curves:", len(by_class("live")))
    print("bounds:", len(by_class("bound")))

    chromium(options, "--screenshot=" + options.screenshot)
    png = pathlib.Path(options.screenshot).read_bytes()
    width, height, lines = pixels(png)
    if len(set(lines)) < 32:
        sys.exit("the screenshot is blank")
    print(f"screenshot: {width} x {height}, {len(png)} bytes")


if __name__ == "__main__":
    main()
