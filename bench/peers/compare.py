"""Runs every work on every system in turns and writes peers.json and peers.png; started by `run`."""
import argparse
import json
import os
import pathlib
import re
import select
import statistics
import subprocess
import sys
import tempfile
import time

import numpy

import works

here = pathlib.Path(__file__).resolve().parent
runner = here.parent.parent / "build/release/bench/unmask_peer"
agreement = 1e-4  # largest difference from our output, or from our gradients in units of the largest gradient
start_limit, run_limit = 1500, 600  # seconds; torch.compile takes minutes for the full network

large = str(2**32)
allocators = {"system malloc": {}, "tuned malloc": {f"MALLOC_{n}_": large for n in ("MMAP_THRESHOLD", "TRIM_THRESHOLD")}}
for name in ("tcmalloc", "jemalloc"):
    if library := os.environ.get("UNMASK_PEERS_" + name.upper()):
        allocators[name] = {"LD_PRELOAD": library}


def command(system, w, folder, threads):
    """What starts a peer, and the file it leaves its output in."""
    output = folder / f"{system}.{threads}.out"
    side = str(w["side"])
    if system == "unmask":
        names = ["weights.safetensors", "input", "mask"] + ["truth"] * (w["kind"] == "training")
        files = [str(folder / name) for name in names]
        return [runner, w["kind"], *files, str(w["batch"]), side, side, str(threads), output], output
    arguments = [system, w["kind"], str(folder), str(w["batch"]), side, str(threads), str(output)]
    return [sys.executable, here / "peer.py", *arguments], output


def environment(threads, extra=()):
    """Threads stay on their cores: woken after a pause two of them may share one for as long as a small run takes."""
    count = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    return {"OMP_PROC_BIND": "true", **os.environ, **count, **dict(extra)}


class peer:
    """A process that runs when it is told to."""

    def __init__(self, command, threads, extra=()):
        self.errors, self.read = tempfile.TemporaryFile(), b""
        self.process = subprocess.Popen(
            command, env=environment(threads, extra), text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
        )  # fmt: skip

    def line(self, limit):
        # past Python's buffer: select does not know of a second line that lies in it
        while b"\n" not in self.read:
            if not select.select([self.process.stdout], [], [], limit)[0]:
                self.process.kill()
                raise RuntimeError(f"took more than {limit} s")
            if not (more := os.read(self.process.stdout.fileno(), 4096)):
                break
            self.read += more
        text, newline, self.read = self.read.partition(b"\n")
        if newline:
            return text.decode().strip()
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        raise RuntimeError(f"ended: {lines[-1] if lines else self.process.wait()}")

    def ready(self):
        """Its version, once it has made its first run."""
        word, version = self.line(start_limit).split(maxsplit=1)
        assert word == "ready"
        return version

    def run(self):
        time.sleep(0.05)  # the others' threads stop spinning
        self.process.stdin.write("run\n")
        return float(self.line(run_limit))

    def end(self):
        """Its peak memory in MB."""
        self.process.stdin.close()
        memory = float(self.line(run_limit))
        self.process.wait()
        return memory


class cold_peer:
    """A process a run; the time is the whole process's."""

    def __init__(self, command, threads, version):
        self.command, self.threads, self.version, self.memory = command, threads, version, 0

    def ready(self):
        self.run()
        return self.version

    def run(self):
        begin = time.perf_counter()
        done = subprocess.run(
            self.command, env=environment(self.threads), capture_output=True, text=True, timeout=run_limit
        )
        seconds = time.perf_counter() - begin
        if done.returncode:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
        self.memory = max(self.memory, float(done.stdout))
        return seconds

    def end(self):
        return self.memory


def versions():
    from importlib.metadata import version

    found = {system.split()[0]: version({"pytorch": "torch"}.get(system, system)) for system in ("pytorch", "onnxruntime", "openvino")}
    header = (here.parent.parent / "include/unmask/version.hpp").read_text()
    found["unmask"] = ".".join(re.findall(r"define UNMASK_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", header))
    return found


def prepare(w, folder):
    """Weights, inputs and the folded network in a folder. The values do not matter for the time."""
    config = folder / "config.json"
    config.write_text(json.dumps(w["config"]))
    deviation = "0.05" if w["config"]["channels"] == 60 else "0.1"
    subprocess.run([runner, "weights", config, "1", deviation, folder / "weights.safetensors"], check=True)
    draw = numpy.random.default_rng(1)
    shape = (w["batch"], w["side"], w["side"])
    mask = (draw.random(shape if w["kind"] == "training" else (1, *shape[1:])) < 0.5).astype("float32")
    truth = draw.random((*shape, w["config"]["bands"]), numpy.float32)
    for name, values in {"mask": mask, "truth": truth, "input": truth * mask[..., None]}.items():
        values.tofile(folder / name)
    if "onnxruntime" in w["systems"]:
        export = [sys.executable, here / "export.py", folder, str(w["batch"]), str(w["side"])]
        subprocess.run(export, check=True, capture_output=True)


def faster_allocator(w, folder, threads):
    """The allocator with which PyTorch makes this work's fastest run."""
    best = {}
    for name, extra in allocators.items():
        p = peer(command("pytorch", w, folder, threads)[0], threads, extra)
        p.ready()
        best[name] = min(p.run() for _ in range(3))
        p.end()
    print("  PyTorch by allocator: " + ", ".join(f"{name} {s:.3g} s" for name, s in best.items()), flush=True)
    return min(best, key=best.get)


def start(w, folder, threads, allocator):
    """The peers that started, by system, with their versions and output files."""
    started = {}
    for system in w["systems"]:
        line, output = command(system, w, folder, threads)
        name = "system malloc" if system == "pytorch as installed" else allocator
        extra, note = (allocators[name], ", " + name) if system.startswith("pytorch") else ((), "")
        if w["kind"] == "once":
            p = cold_peer(line, threads, versions()[system])
            note = ""
        else:
            p = peer(line, threads, extra)
        try:
            started[system] = (p, p.ready() + note, output)
        except (RuntimeError, OSError) as problem:
            if system == "unmask":
                raise
            print(f"  {system} is left out, it {problem}", flush=True)
    return started


def take_turns(peers, rounds, seconds):
    """Seconds of every run; the first round only says how many rounds `seconds` are enough for."""
    begin = time.perf_counter()
    for p in peers.values():
        p.run()
    count = rounds or max(5, min(31, int(seconds / (time.perf_counter() - begin))))
    times = {name: [] for name in peers}
    for _ in range(count):
        for name, p in peers.items():
            times[name].append(p.run())
    return times


def compare(w, folder, threads, allocator, options):
    started = start(w, folder, threads, allocator)
    probe = peer([runner, "peak", str(threads)], threads)
    probe_work = float(probe.line(start_limit))
    probe.ready()
    peers = {"peak": probe, **{system: p for system, (p, _, _) in started.items()}}
    times = take_turns(peers, 3 if options.quick else None, options.seconds)
    memory = {name: p.end() for name, p in peers.items()}
    peak = probe_work / min(times["peak"])  # multiply-adds a second
    expected = numpy.fromfile(started["unmask"][2], numpy.float32)
    scale = numpy.abs(expected).max() if w["kind"] == "training" else 1
    records = []
    for system, (_, version, output) in started.items():
        found = numpy.fromfile(output, numpy.float32)
        median = statistics.median(times[system])
        records.append({
            "work": w["name"], "threads": threads, "system": system, "version": version,
            "median_s": median, "low_s": min(times[system]), "high_s": max(times[system]),
            "peak_rss_mb": round(memory[system], 1),
            "max_abs_difference": float(numpy.abs(found - expected).max() / scale),
            "share_of_fma_peak": works.multiply_adds(w) / median / peak,
        })  # fmt: skip
    show(records, 2e-9 * peak)
    return records


def show(records, peak):
    first = records[0]
    print(f"\n{first['work']}, {first['threads']} thread{'s' if first['threads'] > 1 else ''}; "
          f"FMA peak {peak:.0f} GFLOP/s\n{'system':18}{'median s':>10}{'low':>10}{'high':>10}{'x unmask':>10}"
          f"{'peak MB':>10}{'of peak':>9}{'differs':>10}  version")  # fmt: skip
    for r in records:
        wrong = "" if r["max_abs_difference"] <= agreement else "  DISAGREES"
        print(f"{r['system']:18}{r['median_s']:10.4f}{r['low_s']:10.4f}{r['high_s']:10.4f}"
              f"{r['median_s'] / first['median_s']:10.2f}{r['peak_rss_mb']:10.0f}{r['share_of_fma_peak']:9.1%}"
              f"{r['max_abs_difference']:10.1e}  {r['version']}{wrong}", flush=True)  # fmt: skip


def draw_chart(records, path):
    """A panel a work that more than one did: median seconds, whiskers from the fastest to the slowest run."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    together = [r["work"] for r in records if r["system"] != "unmask"]
    names = list(dict.fromkeys(together or [r["work"] for r in records]))
    most = max(sum(r["work"] == name for r in records) for name in names)
    columns = min(3, len(names))
    figure, panels = pyplot.subplots(
        -(-len(names) // columns), columns, figsize=(5.2 * columns, 2.6 * -(-len(names) // columns)), squeeze=False
    )
    for panel in panels.flat[len(names) :]:
        panel.axis("off")
    for panel, name in zip(panels.flat, names):
        rows = [r for r in records if r["work"] == name][::-1]
        median = [r["median_s"] for r in rows]
        spread = [[r["median_s"] - r["low_s"] for r in rows], [r["high_s"] - r["median_s"] for r in rows]]
        colours = ["#c8452c" if r["system"] == "unmask" else "#7d8fa3" for r in rows]
        panel.barh(range(len(rows)), median, xerr=spread, color=colours, ecolor="#222222", capsize=2, height=0.7)
        panel.set_yticks(range(len(rows)), [f"{r['system']}, {r['threads']}" for r in rows], fontsize=7)
        panel.set_ylim(len(rows) - most - 0.5, len(rows) - 0.5)
        panel.set_title(name, fontsize=9)
        panel.tick_params(axis="x", labelsize=7)
        panel.set_xlim(0, 1.12 * max(r["high_s"] for r in rows))
        panel.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("seconds a run (median, fastest to slowest); system, threads", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(prog="bench/peers/run")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--quick", action="store_true", help="small network, few runs, no compiled PyTorch")
    parser.add_argument("--no-compiled", action="store_true", help="without torch.compile, which takes minutes a work")
    parser.add_argument("--works", default="", help="only works whose name this regular expression finds")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--seconds", type=float, default=120, help="of runs for each work and number of threads")
    parser.add_argument("--golden", default=os.environ.get("UNMASK_GOLDEN"), help="checks the PyTorch network first")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.golden:
        subprocess.run([sys.executable, here / "golden.py", options.golden], check=True)
    else:
        print("skipped: golden check of the PyTorch network (UNMASK_GOLDEN is not set)")
    threads, records = [int(n) for n in options.threads.split(",")], []
    for w in works.works:
        if not re.search(options.works, w["name"]) or (options.quick and not w["in_quick"]):
            continue
        if options.quick or options.no_compiled:
            w["systems"] = [s for s in w["systems"] if s != "pytorch compiled"]
        with tempfile.TemporaryDirectory(prefix="unmask-peers-") as name:
            folder = pathlib.Path(name)
            prepare(w, folder)
            allocator = list(allocators)[-1]
            if "pytorch" in w["systems"] and w["kind"] != "once" and not options.quick:
                allocator = faster_allocator(w, folder, max(threads))
            for n in threads:
                records += compare(w, folder, n, allocator, options)
                (options.out / "peers.json").write_text(json.dumps(records, indent=1) + "\n")
    if not records:
        sys.exit(f"no work's name matches '{options.works}'")
    draw_chart(records, options.out / "peers.png")
    print(f"\n{options.out / 'peers.json'}, {options.out / 'peers.png'}")
    wrong = [r for r in records if not r["max_abs_difference"] <= agreement]
    if wrong:
        sys.exit(f"{len(wrong)} outputs differ from ours by more than {agreement}")


if __name__ == "__main__":
    main()
