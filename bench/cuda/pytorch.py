"""The same network, weights and images in PyTorch on the same GPU: pytorch.py DIR; DIR is what network_times wrote.
Prints medians of 30 runs by events, with L2 written over before each, eager and compiled, in float, TF32 and bf16."""
import pathlib
import sys

import numpy
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import network  # noqa: E402

folder, side, batch, crop = pathlib.Path(sys.argv[1]), 256, 8, 64
flushed = torch.empty(256 << 20, dtype=torch.uint8, device="cuda")


def read(name, *shape):
    return torch.from_numpy(numpy.fromfile(folder / name, numpy.float32).reshape(shape)).cuda()


def report(name, run):
    times = []
    for i in range(33):
        flushed.fill_(i)
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        run()
        end.record()
        end.synchronize()
        if i >= 3:
            times.append(begin.elapsed_time(end))
    times.sort()
    print(f"{name:<28} {times[15]:9.3f} ms   ({times[0]:.3f} to {times[-1]:.3f})", flush=True)


def autocast(precision):
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    return torch.autocast("cuda", torch.bfloat16, enabled=precision == "bf16")


x, mask = read("input", 1, side, side, -1), read("mask", 1, side, side)
crops, part = read("crops", batch, crop, crop, -1), mask[:, :crop, :crop].expand(batch, -1, -1).contiguous()
for precision in ("float", "tf32", "bf16"):
    model = network.load(folder / "weights.safetensors")[0].cuda()
    with autocast(precision), torch.inference_mode():
        folded = model.fold(mask)
        report(f"eager inference, {precision}", lambda: folded(x, None))
        compiled = torch.compile(folded, dynamic=False)
        report(f"compiled inference, {precision}", lambda: compiled(x, None))
    model = network.load(folder / "weights.safetensors")[0].cuda()
    optimiser = torch.optim.Adam(model.parameters(), lr=4e-4, foreach=True)

    def step():
        optimiser.zero_grad()
        with autocast(precision):
            estimate, pins = model(crops, part, pins=True)
        network.mask_aware_loss(estimate.float(), pins[-1].float(), crops).backward()
        optimiser.step()

    report(f"eager training, {precision}", step)
