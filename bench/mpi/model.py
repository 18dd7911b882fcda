#!/usr/bin/env python3
"""A model of a training step on many ranks, checked against what bench/mpi/run measured, and read out for clusters.

  bench/mpi/model.py FOLDER PICTURE.svg [MS]    FOLDER: what bench/mpi/run wrote; tables go to standard output
                                                MS: a sample's time for what is read out, else the measured one

  step(R)  = update + b sample + wait(R) + visible(R)
  wait(R)  = jitter b sample sqrt(2 ln R)                  the slowest of R ranks (normal noise, relative deviation)
  sum(R)   = 2 latency + 2 p (R - 1) message + 8 N (R - 1) / (R bandwidth)      exchange, then spread; N floats
  visible  = sum / 2 + max(0, sum / 2 - (1 - 1 / p) backward)   the exchange begins while the last sample is computed
  p pieces = clamp(4 N / (64 KiB R), 1, 8), as train/gradient_sum.hpp cuts
"""

import json
import math
import statistics
import sys

MESSAGE = 2e-6  # seconds of a processor for one message, an assumption for clusters
NETWORKS = {"10 Gbit/s": (1.25e9, 20e-6), "100 Gbit/s": (12.5e9, 5e-6)}  # bytes a second, latency: assumptions
BACKWARD = 2 / 3  # share of a sample's time


def pieces(n, ranks):
    return min(8, max(1, 4 * n // (65536 * ranks)))


def exchange(n, ranks, bandwidth, latency, message):
    """Seconds of one sum, alone."""
    if ranks == 1:
        return 0.0
    return 2 * latency + 2 * pieces(n, ranks) * (ranks - 1) * message + 8 * n * (ranks - 1) / (ranks * bandwidth)


def visible(n, ranks, sample, bandwidth, latency, message):
    """What of it a step waits for."""
    half = exchange(n, ranks, bandwidth, latency, message) / 2
    return half + max(0.0, half - (1 - 1 / pieces(n, ranks)) * BACKWARD * sample)


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def fit(sums):
    """{rate: (bytes a second, latency)} from undisturbed sums of two ranks: the tenth fastest of each size."""
    fitted = {}
    for rate in dict.fromkeys(s["rate"] for s in sums):
        low = {s["numbers"]: s["low"] for s in sums if s["rate"] == rate}
        large = sorted(low)[-2:]
        slope = (low[large[1]] - low[large[0]]) / (large[1] - large[0])  # seconds a number; 8 (R - 1) / R = 4 bytes
        fitted[rate] = (4 / slope, low[min(low)] / 2)
    return fitted


def check(folder, n):
    sums, steps = lines(f"{folder}/sums.jsonl"), lines(f"{folder}/steps.jsonl")
    fitted = fit(sums)
    print("| link | bandwidth, MB/s | latency, us | sum of the network's gradients, ms |")
    print("|---|---|---|---|")
    for rate, (bandwidth, latency) in fitted.items():
        print(f"| {rate} | {bandwidth / 1e6:.0f} | {1e6 * latency:.0f} "
              f"| {1e3 * exchange(n, 2, bandwidth, latency, 0):.2f} |")
    one = {}
    for s in steps:
        if s["what"] == "one":
            one.setdefault(s["round"], []).append(s["ms"])
    # other work on the machine only adds time: the least of the rounds is the least disturbed; the spread is beside it
    every = [ms for v in one.values() for ms in v]
    alone = min(every)
    print(f"\none process on one core: {alone:.0f} ms a step, {len(every)} runs, at most {max(every):.0f} ms\n")
    print("| link | two cores, ms a step | runs, most | weak scaling, x | of each round | communication, % | model, x |")
    print("|---|---|---|---|---|---|---|")
    for rate, (bandwidth, latency) in fitted.items():
        two = [s for s in steps if s["what"] == "two" and s["rate"] == rate]
        if not two:
            continue
        gains = [2 * statistics.mean(one[s["round"]]) / s["ms"] for s in two]
        best = min(two, key=lambda s: s["ms"])
        extra = 1e3 * visible(n, 2, alone / 4e3, bandwidth, latency, 0)
        print(f"| {rate} | {best['ms']:.0f} | {len(two)}, {max(s['ms'] for s in two):.0f} | {2 * alone / best['ms']:.2f} "
              f"| {min(gains):.2f} to {max(gains):.2f} | {best['share']:.1f} | {2 * alone / (alone + extra):.2f} |")
    return alone / 4e3


def efficiency(n, ranks, sample, per_rank, jitter, network):
    bandwidth, latency = network
    compute = per_rank * sample
    wait = jitter * compute * math.sqrt(2 * math.log(ranks)) if ranks > 1 else 0.0
    return compute / (compute + wait + visible(n, ranks, sample, bandwidth, latency, MESSAGE))


def cases(sample, parameters):
    """(name, numbers, seconds a sample, samples a rank): a rank that is one core, and one that is a fast machine."""
    full = sample * parameters[1] / parameters[0]  # time grows as the weights: each meets every pixel once
    return [("small network, a core a rank", parameters[0], sample, 4),
            ("full network, a core a rank", parameters[1], full, 1),
            ("small network, a machine of 64 such cores a rank", parameters[0], sample / 64, 4),
            ("full network, a machine of 64 such cores a rank", parameters[1], full / 64, 4)]


def read_out(sample, parameters):
    print("\n| case | numbers | compute, ms a step | link | 8 ranks, % | 64, % | 512, % | largest cost at 512 |")
    print("|---|---|---|---|---|---|---|---|")
    for name, n, seconds, per_rank in cases(sample, parameters):
        for link, network in NETWORKS.items():
            values = [100 * efficiency(n, r, seconds, per_rank, .02, network) for r in (8, 64, 512)]
            wait = .02 * per_rank * seconds * math.sqrt(2 * math.log(512))
            seen = visible(n, 512, seconds, *network, MESSAGE)
            cost = "waiting for the slowest" if wait > seen else "communication"
            print(f"| {name} | {n} | {1e3 * per_rank * seconds:.1f} | {link} | " +
                  " | ".join(f"{v:.1f}" for v in values) + f" | {cost}, {1e3 * max(wait, seen):.1f} ms |")


def picture(path, sample, parameters):
    width, height, left, top, w, h = 960, 420, 60, 40, 480, 330
    colours = ["#3d7ab8", "#d9663d", "#4c9a52", "#8a5fb0"]
    x = lambda ranks: left + w * math.log2(ranks) / 9
    y = lambda share: top + h * (1 - share)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">',
             f'<rect width="{width}" height="{height}" fill="white"/>',
             f'<text x="{left}" y="22" font-size="15">Share of a rank\'s time that computes (model; slowest rank 2 % noise)</text>']
    for percent in range(0, 101, 20):
        parts.append(f'<line x1="{left}" x2="{left + w}" y1="{y(percent / 100):.1f}" y2="{y(percent / 100):.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 6}" y="{y(percent / 100) + 4:.1f}" text-anchor="end" font-size="11">{percent} %</text>')
    for power in range(10):
        parts.append(f'<text x="{x(2 ** power):.1f}" y="{top + h + 16}" text-anchor="middle" font-size="11">{2 ** power}</text>')
    parts.append(f'<text x="{left + w / 2}" y="{top + h + 34}" text-anchor="middle" font-size="12">ranks</text>')
    row = 0
    for (name, n, seconds, per_rank), colour in zip(cases(sample, parameters), colours):
        for link, network in NETWORKS.items():
            dash = ' stroke-dasharray="5 4"' if link.startswith("10 ") else ""
            points = " ".join(f"{x(2 ** p):.1f},{y(efficiency(n, 2 ** p, seconds, per_rank, .02, network)):.1f}"
                              for p in range(10))
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
            at = top + 14 + 34 * (row // 2) + 15 * (row % 2) + (row // 2) * 12
            parts.append(f'<line x1="{left + w + 16}" x2="{left + w + 44}" y1="{at - 4}" y2="{at - 4}" stroke="{colour}" stroke-width="2"{dash}/>')
            label = f"{link}: {name}" if row % 2 == 0 else link
            parts.append(f'<text x="{left + w + 50}" y="{at}" font-size="11">{label}</text>')
            row += 1
    parts.append("</svg>")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(parts) + "\n")


if __name__ == "__main__":
    with open(f"{sys.argv[1]}/parameters.json", encoding="utf-8") as found:
        numbers = json.load(found)
    each = check(sys.argv[1], numbers[0])
    if len(sys.argv) > 3:  # a busy machine shows more than a sample needs
        each = 1e-3 * float(sys.argv[3])
    read_out(each, numbers)
    picture(sys.argv[2], each, numbers)
