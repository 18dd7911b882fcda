#!/usr/bin/env python3
"""unmask_single.hpp: what runs a network, in one file.

single_header.py OUTPUT    written whole or not at all

It has <unmask/unmask.hpp>, spectral TV and weights for products (include/unmask/weights), and needs xsimd only (nothing with
UNMASK_NO_SIMD). With UNMASK_SINGLE_RECONSTRUCTOR defined before it is included, whole reconstructions too, and with them
Eigen. Files, training and pictures are not in it.
"""
import os
import re
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "include", "unmask")
ALWAYS = ["unmask.hpp", "optics/adaptive_spectral_tv.hpp", "weights/selftest.hpp"]
POSIX = ["weights/mapped_file.hpp"]
RECONSTRUCTOR = ["reconstruct/reconstructor.hpp"]

INCLUDE = re.compile(r'\s*#\s*include\s*"([^"]+)"')
OPEN, CLOSE = re.compile(r"\s*#\s*if"), re.compile(r"\s*#\s*endif")


class Single:
    def __init__(self):
        self.lines, self.seen = [], set()

    def add(self, path, seen):
        """A file in place of its include, unless `seen` has it. What stands under an #if may be skipped: there `seen` is a
        copy, so that the next include brings it again; guards keep the first one."""
        path = os.path.normpath(path)
        name = os.path.relpath(path, ROOT)
        if path in seen:
            return
        seen.add(path)
        guard = "UNMASK_SINGLE_" + re.sub(r"\W", "_", name)
        self.lines += [f"// ---- unmask/{name}", f"#if !defined({guard})", f"#define {guard}"]
        depth = 0
        for line in open(path, encoding="utf-8").read().splitlines():
            include = INCLUDE.match(line)
            if include:
                self.add(os.path.join(os.path.dirname(path), include[1]), seen if depth == 0 else set(seen))
                continue
            if line.strip() == "#pragma once":
                continue
            depth += bool(OPEN.match(line)) - bool(CLOSE.match(line))
            self.lines.append(line)
        self.lines.append("#endif")


def main(output):
    version = open(os.path.join(ROOT, "version.hpp"), encoding="utf-8").read()
    number = ".".join(re.findall(r"define UNMASK_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", version))
    licence = open(os.path.join(ROOT, "..", "..", "LICENSE"), encoding="utf-8").read().splitlines()
    single = Single()
    single.lines += ["#pragma once", "", f"/// unmask {number} in one file, made by cmake/single_header.py. Needs C++20 and xsimd.", "///"]
    single.lines += ["/// " + line if line else "///" for line in licence] + [""]
    for name in ALWAYS:
        single.add(os.path.join(ROOT, name), single.seen)
    single.lines.append("#if defined(__unix__) || defined(__APPLE__)")
    for name in POSIX:
        single.add(os.path.join(ROOT, name), set(single.seen))
    single.lines += ["#endif", "#if defined(UNMASK_SINGLE_RECONSTRUCTOR)"]
    for name in RECONSTRUCTOR:
        single.add(os.path.join(ROOT, name), set(single.seen))
    single.lines.append("#endif")
    part = output + ".part"
    with open(part, "w", encoding="utf-8") as f:
        f.write("\n".join(single.lines) + "\n")
    os.replace(part, output)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
