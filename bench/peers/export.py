"""Writes FOLDER/network.onnx: FOLDER's weights with its mask folded to constants. python export.py FOLDER BATCH SIDE"""
import pathlib
import sys
import warnings

import numpy
import torch

import network

warnings.filterwarnings("ignore")
folder, batch, side = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
mask = torch.from_numpy(numpy.fromfile(folder / "mask", numpy.float32).reshape(1, side, side))
network.fused_attention = False
model, _ = network.load(folder / "weights.safetensors")
x = torch.zeros(batch, side, side, model.conv_first.in_channels)
with torch.no_grad():  # or every intermediate of the trace would stay: over 20 GB at 256 x 256
    model.fold(mask).eval()(x)  # fills the tables
    torch.onnx.export(
        model, (x,), folder / "network.onnx", dynamo=False, opset_version=20,
        input_names=["input"], output_names=["output"],
    )  # fmt: skip
