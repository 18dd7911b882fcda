"""A dot for every training: what it gains over the stack by region, from the lines that bench/clouds/learning printed.
usage: learning_chart.py LINES OUT.svg"""
import re
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

REGIONS = ("all", "visibility below .3", "from .3 on", "rim")
LABELS = ("all", "visibility\nbelow .3", "visibility\nfrom .3 on", "at most 3 pixels\nfrom an open one")
NAMES = {"plain": "plain", "me": "ME", "ma": "ME + MA, weak signal", "relative": "ME + MA, share of the base", "visibility": "ME + MA, 1 - v", "tiles": "ME, place left out"}
gains = {}
for line in open(sys.argv[1]):
    head = re.match(r"(\w+)-(\d) (thin|thick) ", line)
    if head and head[1] in NAMES:
        for region, gain in re.findall(r"(?:^|; )([a-z][\w .]*?) ([+-]\d+\.\d+) \(", line):
            gains.setdefault((head[3], head[1], region), []).append(float(gain))
fig, axes = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True)
for axis, table in zip(axes, ("thin", "thick")):
    for k, kind in enumerate(NAMES):
        for x, region in enumerate(REGIONS):
            dots = gains.get((table, kind, region), [])
            axis.plot([x + .12 * (k - 2.5)] * len(dots), dots, "o", ms=5, alpha=.8, color=f"C{k}", label=NAMES[kind] if x == 0 else None)
    axis.axhline(0, color="grey", lw=.8)
    axis.set_xticks(range(len(REGIONS)), LABELS, fontsize=8)
    axis.set_title(f"{table} cloud")
axes[0].set_ylabel("gain over the stack, dB")
axes[1].legend(fontsize=8)
fig.savefig(sys.argv[2], bbox_inches="tight")
