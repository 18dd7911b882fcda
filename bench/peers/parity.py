"""Whether training follows PyTorch: the same initial weights, batches and Adam, STEPS steps of the small network in both
stages, the rate falling along half a cosine. Each step's loss must agree within 1e-3 of its value, the trained weights
within 1e-3 of their norm; beside it stands how far PyTorch on one thread gets from PyTorch on two. Started by
`run --parity [STEPS] --out DIR`; writes parity.json and, for each stage, everybody's losses.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy
import torch

import network
import works
from compare import environment, runner

batches, batch, side = 8, 4, 64
bound = 1e-3


def smooth_scenes(draw, count, bands):
    """Cubes [count, H, W, C] in [0, 1]: a few soft-edged discs, each with a spectrum of its own."""
    rows, columns = numpy.mgrid[0:side, 0:side]
    wave = numpy.linspace(0, 1, bands)
    cubes = numpy.zeros((count, side, side, bands), numpy.float32)
    for cube in cubes:
        for _ in range(12):
            r, c, radius = draw.uniform(0, side, 2).tolist() + [draw.uniform(4, 24)]
            spectrum = draw.uniform(0.1, 0.9) * numpy.exp(-(((wave - draw.random()) / draw.uniform(0.1, 0.6)) ** 2))
            cover = 1 / (1 + numpy.exp(numpy.hypot(rows - r, columns - c) - radius))[..., None]
            cube[:] = cube * (1 - cover) + spectrum * cover
    return cubes


def coded(truth, mask, step=2):
    """The network's input HM: the snapshot (scaled by 2 / C) shifted back and multiplied by the mask."""
    n, h, w, bands = truth.shape
    measured = numpy.zeros((n, h, w + step * (bands - 1)), numpy.float32)
    for c in range(bands):
        measured[:, :, step * c : step * c + w] += mask * truth[..., c] * 2 / bands
    return numpy.stack([mask * measured[:, :, step * c : step * c + w] for c in range(bands)], -1)


def follow_pytorch(folder, stage, steps, threads=2):
    torch.set_num_threads(threads)
    model, names = network.load(folder / "weights.safetensors")
    shape = (batches, batch, side, side)
    x, mask, truth = (
        torch.from_numpy(numpy.fromfile(folder / name, numpy.float32)) for name in ("input", "mask", "truth")
    )
    x, mask, truth = x.reshape(*shape, -1), mask.reshape(shape), truth.reshape(*shape, -1)
    optimiser = torch.optim.Adam(model.parameters(), lr=4e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, eta_min=1e-6)
    losses = []
    for i in range(steps):
        k = i % batches
        optimiser.zero_grad()
        estimate, pins = model(x[k], mask[k], pins=True)
        if stage == "me":
            loss = network.mask_encoding_loss(estimate, pins, truth[k], mask[k])
        else:
            loss = network.mask_aware_loss(estimate, pins[-1], truth[k])
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    return numpy.array(losses), {name: model.get_parameter(name).detach() for name in names}


def follow_unmask(folder, stage, steps):
    files = [str(folder / name) for name in ("weights.safetensors", "input", "mask", "truth")]
    trained = folder / "trained.safetensors"
    numbers = [str(n) for n in (batch, side, side, 2)]
    line = [runner, "parity", *files, *numbers, trained, str(steps), stage, str(batches)]
    done = subprocess.run(line, env=environment(2), check=True, stdout=subprocess.PIPE, text=True)
    return numpy.array([float(text) for text in done.stdout.split()]), network.read_weights(trained)[1]


def largest(losses, reference):
    return float(numpy.abs(losses / reference - 1).max())


def apart(weights, reference):
    """Norm of the difference of all weights, in units of the reference's."""
    norm = lambda f: sum((f(n).double() ** 2).sum() for n in reference).sqrt().item()
    return norm(lambda n: weights[n] - reference[n]) / norm(lambda n: reference[n])


def main():
    parser = argparse.ArgumentParser(prog="bench/peers/run")
    parser.add_argument("--parity", type=int, nargs="?", const=200, metavar="STEPS")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    results = {}
    with tempfile.TemporaryDirectory(prefix="unmask-parity-") as name:
        folder = pathlib.Path(name)
        config = {**works.small, "scope": "window"}
        (folder / "config.json").write_text(json.dumps(config))
        subprocess.run([runner, "weights", folder / "config.json", "1", "0", folder / "weights.safetensors"], check=True)
        draw = numpy.random.default_rng(1)
        truth = smooth_scenes(draw, batches * batch, config["bands"])
        mask = (draw.random(truth.shape[:3]) < 0.5).astype(numpy.float32)
        for file, values in {"truth": truth, "mask": mask, "input": coded(truth, mask)}.items():
            values.tofile(folder / file)
        for stage in ("me", "ma"):
            theirs, their_weights = follow_pytorch(folder, stage, options.parity)
            ours, our_weights = follow_unmask(folder, stage, options.parity)
            again, their_weights_again = follow_pytorch(folder, stage, options.parity, threads=1)
            results[stage] = {
                "steps": options.parity, "first_loss": theirs[0], "last_loss": theirs[-1],
                "largest_loss_difference": largest(ours, theirs),
                "weights_difference": apart(our_weights, their_weights),
                "pytorch_loss_difference": largest(again, theirs),
                "pytorch_weights_difference": apart(their_weights_again, their_weights),
                "pytorch": theirs.tolist(), "pytorch_one_thread": again.tolist(), "unmask": ours.tolist(),
            }  # fmt: skip
            r = results[stage]
            print(f"{stage}: {options.parity} steps, loss {theirs[0]:.4f} to {theirs[-1]:.4f}; largest relative difference"
                  f" of a loss {r['largest_loss_difference']:.1e}, of the weights {r['weights_difference']:.1e} (bounds"
                  f" {bound}); PyTorch on one thread {r['pytorch_loss_difference']:.1e} and"
                  f" {r['pytorch_weights_difference']:.1e}", flush=True)  # fmt: skip
    (options.out / "parity.json").write_text(json.dumps(results, indent=1) + "\n")
    fine = (r[key] <= bound for r in results.values() for key in ("largest_loss_difference", "weights_difference"))
    sys.exit(not all(fine))


if __name__ == "__main__":
    main()
