"""One peer in its own process: python peer.py SYSTEM KIND FOLDER BATCH SIDE THREADS OUTPUT

FOLDER holds weights.safetensors, network.onnx (the mask folded in), input, mask and, for training, truth as raw
float32. A peer says `ready` and its version, then runs once for each line on its input and answers with the seconds it
took, and at the end of its input prints its peak memory in MB. KIND `once` reconstructs, prints it and ends: a cold start.
OUTPUT gets the reconstruction, or the first training step's gradients. PyTorch is imported only where it is used.
"""
import pathlib
import sys
import time

import numpy


def peak_memory_mb():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6


class task:
    def __init__(self, system, kind, folder, batch, side, threads, output):
        self.system, self.kind, self.folder, self.output = system, kind, pathlib.Path(folder), output
        self.batch, self.side, self.threads = int(batch), int(side), int(threads)

    def read(self, name):
        """Images [B, H, W, C]; masks [B or 1, H, W]."""
        values = numpy.fromfile(self.folder / name, numpy.float32)
        shape = (-1, self.side, self.side) if name == "mask" else (self.batch, self.side, self.side, -1)
        return values.reshape(shape)


def onnxruntime_inference(t):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = t.threads, 1
    if t.threads > 1:  # its first thread is the caller's
        others = ";".join(str(core) for core in range(2, t.threads + 1))
        options.add_session_config_entry("session.intra_op_thread_affinities", others)
    session = onnxruntime.InferenceSession(t.folder / "network.onnx", options, providers=["CPUExecutionProvider"])
    feed = {"input": t.read("input")}
    return onnxruntime.__version__, lambda: session.run(None, feed)[0]


def openvino_inference(t):
    import openvino

    core = openvino.Core()
    properties = {"INFERENCE_NUM_THREADS": t.threads, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1,
                  "INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": True}  # fmt: skip
    compiled = core.compile_model(t.folder / "network.onnx", "CPU", properties)
    request = compiled.create_infer_request()
    request.set_input_tensor(openvino.Tensor(t.read("input")))  # a copy, made once

    def run():
        request.infer()
        return request.get_output_tensor().data

    return openvino.__version__.split("-")[0], run


def pytorch_model(t):
    import torch

    import network

    torch.set_num_threads(t.threads)
    return torch, *network.load(t.folder / "weights.safetensors")


def pytorch_inference(t):
    torch, model, _ = pytorch_model(t)
    x, mask = (torch.from_numpy(t.read(name)) for name in ("input", "mask"))
    if t.system in ("pytorch folded", "pytorch compiled"):
        model, mask = model.fold(mask), None
    if t.system == "pytorch compiled":
        model = torch.compile(model, dynamic=False)

    @torch.inference_mode()
    def run():
        return model(x, mask).numpy()

    return torch.__version__, run


def pytorch_training(t):
    import network

    torch, model, names = pytorch_model(t)
    x, mask, truth = (torch.from_numpy(t.read(name)) for name in ("input", "mask", "truth"))
    optimiser = torch.optim.Adam(model.parameters(), lr=4e-4, foreach=True)

    def run():
        optimiser.zero_grad()
        estimate, pins = model(x, mask, pins=True)
        network.mask_aware_loss(estimate, pins[-1], truth).backward()
        optimiser.step()

    run()
    parameters = (model.get_parameter(name) for name in names)
    first = [(torch.zeros_like(p) if p.grad is None else p.grad).numpy().ravel() for p in parameters]
    numpy.concatenate(first).tofile(t.output)
    return torch.__version__, run


def main():
    t = task(*sys.argv[1:])
    if t.kind == "training":
        version, run = pytorch_training(t)
    else:
        start = {"onnxruntime": onnxruntime_inference, "openvino": openvino_inference}.get(t.system, pytorch_inference)
        version, run = start(t)
        run().tofile(t.output)
    if t.kind == "once":
        print(peak_memory_mb())
        return
    print("ready", version, flush=True)
    for _ in sys.stdin:
        begin = time.perf_counter()
        run()
        print(time.perf_counter() - begin, flush=True)
    print(peak_memory_mb(), flush=True)


if __name__ == "__main__":
    main()
