#!/usr/bin/env python3
"""Reads what bench/roofline printed on standard input, prints a table (Markdown) and draws the picture.
Usage: build/release/bench/roofline | bench/roofline/draw.py PICTURE.svg"""

import json
import math
import sys

COLOURS = {"time": "#d9663d", "multiply-adds": "#3d7ab8", "bytes": "#8a8a8a"}
WIDTH, BAR, ROW, TOP, LEFT, SCALE = 960, 7, 29, 60, 160, 9.2  # SCALE: pixels a per cent


def shares(data):
    """(component, share of time, of multiply-adds, of bytes) for all components."""
    parts = data["components"]
    total = {key: sum(p[key] for p in parts) for key in ("seconds", "multiply_adds", "bytes")}
    return [(p, *(p[key] / total[key] for key in total)) for p in parts], total


def table(data):
    rows, total = shares(data)
    print("| component | time, s | share | multiply-adds, 10^9 | share | GFLOP/s | bytes, 10^9 | share |")
    print("|---|---|---|---|---|---|---|---|")
    for p, time, work, moved in rows:
        rate = f"{2e-9 * p['executed'] / p['seconds']:.0f}" if p["executed"] else ""
        print(f"| {p['name']} | {p['seconds']:.3f} | {time:.1%} | {p['multiply_adds'] / 1e9:.2f} | {work:.1%} | {rate} "
              f"| {p['bytes'] / 1e9:.2f} | {moved:.1%} |")
    print(f"| sum | {total['seconds']:.2f} | | {total['multiply_adds'] / 1e9:.1f} | "
          f"| {2e-9 * total['multiply_adds'] / total['seconds']:.0f} | {total['bytes'] / 1e9:.1f} | |")
    print(f"\nsession::run: {data['whole_s']:.2f} s; multiply-add peak {data['peak_flops'] / 1e9:.0f} GFLOP/s; reading "
          f"256 KB {data['cache_rate'] / 1e9:.0f} GB/s, 128 MB {data['memory_rate'] / 1e9:.0f} GB/s")


def text(x, y, what, anchor="start", size=12, colour="#222"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">{what}</text>'


def line(x0, y0, x1, y1, colour="#ccc", width=1.0):
    return f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="{colour}" stroke-width="{width}"/>'


def bars(data):
    """Share of time, multiply-adds and bytes, one group of bars a component."""
    rows, _ = shares(data)
    bottom = TOP + ROW * len(rows)
    yield text(12, 22, "Share of each component", size=15)
    for i, (name, colour) in enumerate(COLOURS.items()):
        yield f'<rect x="{LEFT + 110 * i}" y="34" width="10" height="10" fill="{colour}"/>'
        yield text(LEFT + 14 + 110 * i, 43, name)
    for percent in range(0, 40, 10):
        x = LEFT + SCALE * percent
        yield line(x, TOP, x, bottom)
        yield text(x, bottom + 15, f"{percent} %", "middle", 11)
    for i, (part, *values) in enumerate(rows):
        y = TOP + ROW * i + 4
        yield text(LEFT - 6, y + 1.5 * BAR + 4, part["name"], "end")
        for j, (value, colour) in enumerate(zip(values, COLOURS.values())):
            yield f'<rect x="{LEFT}" y="{y + BAR * j}" width="{100 * SCALE * value:.1f}" height="{BAR - 1}" fill="{colour}"/>'


def roof(data, left, right, bottom):
    """GFLOP/s over flops a byte, both logarithmic, under the roofs of registers, cache and memory."""
    low_x, high_x, low_y, high_y = 0.5, 256, 4, 160

    def at(intensity, rate):
        across = math.log(intensity / low_x) / math.log(high_x / low_x)
        up = math.log(rate / low_y) / math.log(high_y / low_y)
        return left + (right - left) * across, bottom - (bottom - TOP) * up

    yield text(left - 34, 22, "GFLOP/s over flops a byte", size=15)
    for x in (1, 4, 16, 64, 256):
        yield line(*at(x, low_y), *at(x, high_y))
        yield text(at(x, 1)[0], bottom + 15, x, "middle", 11)
    for y in (5, 10, 20, 50, 100):
        yield line(*at(low_x, y), *at(high_x, y))
        yield text(left - 5, at(1, y)[1] + 4, y, "end", 11)
    peak = data["peak_flops"] / 1e9
    for name, rate in (("cache", data["cache_rate"] / 1e9), ("memory", data["memory_rate"] / 1e9)):
        start, end = max(low_x, low_y / rate), peak / rate
        yield line(*at(start, start * rate), *at(end, peak), "#888", 1.5)
        x, y = at(start, start * rate)
        yield text(x + 8, y - 2 if name == "cache" else y - 6, f"{name}, {rate:.0f} GB/s", size=11, colour="#666")
    yield line(*at(peak / (data["cache_rate"] / 1e9), peak), *at(high_x, peak), "#888", 1.5)
    yield text(right, at(1, peak)[1] - 5, f"multiply-add peak, {peak:.0f} GFLOP/s", "end", 11, "#666")
    longest = max(p["seconds"] for p in data["components"])
    for p in data["components"]:
        if not p["executed"]:
            continue
        x, y = at(2 * p["executed"] / p["bytes"], 2e-9 * p["executed"] / p["seconds"])
        radius = 3 + 9 * math.sqrt(p["seconds"] / longest)
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{COLOURS["time"]}" fill-opacity="0.7"/>'
        name = p["name"].replace("projections, reduce", "projections").replace("3x3 convolutions", "3x3")
        if name in ("q, k, v", "spatial attention", "3x3"):
            yield text(x, y + radius + 12, name, "middle", 11)
        elif name == "projections":
            yield text(x - 4, y - radius - 3, name, "end", 11)
        else:
            yield text(x + radius + 3, y + 4, name, size=11)
    yield text(right, bottom + 30, "area of a dot: its time", "end", 11, "#666")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    data = json.load(sys.stdin)
    table(data)
    bottom = TOP + ROW * len(data["components"])
    body = "\n".join([*bars(data), *roof(data, 560, WIDTH - 20, bottom)])
    with open(sys.argv[1], "w") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{bottom + 40}" '
                   f'font-family="sans-serif">\n<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n')


main()
