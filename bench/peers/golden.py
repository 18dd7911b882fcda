"""Checks network.py against golden files of the released network, in double: python golden.py FOLDER

The files (HDF5) hold inputs, parameters under the released names, outputs and gradients; see tests/model/golden_case.hpp.
Files of other arrangements than the parallel one with concatenation are passed over.
"""
import json
import pathlib
import re
import sys

import h5py
import torch

import network

names = [
    (r"^layers\.", "stages."), (r"\.residual_group\.", "."), (r"\.win_wrap_spatial\.attn\.", ".spatial."),
    (r"\.relative_position_bias_table", ".position_bias"), (r"\.chl_msa\.(attn\.)?", ".spectral."),
    (r"\.pos_emb\.", ".position."), (r"\.chl_reduce\.", ".reduce."), (r"\.mlp\.", ".ffn."),
    (r"\.ms_conv1\.", ".spatial_embedding.conv1."), (r"\.ms_conv2\.", ".spatial_embedding.conv3."),
    (r"\.ms_conv3\.", ".spectral_embedding.conv1."), (r"\.ms_conv4\.", ".spectral_embedding.conv3."),
    (r"^patch_embed\.norm\.", "input_norm."), (r"^RSTB_pin\.", "pin."),
]  # fmt: skip
effects = {"omit": "none", "only_q": "q", "only_k": "k", "only_v": "v", "both_qk": "qk"}


def our_name(name):
    for pattern, text in names:
        name = re.sub(pattern, text, name)
    return name


def configuration(j):
    smaller = min(j["img_size"])
    return {
        "bands": j["in_chans"], "channels": j["embed_dim"], "depths": j["depths"], "heads": j["num_heads"],
        "spectral_head_width": j["spe_dim_head"], "window": min(j["window_size"], smaller),
        "pad_multiple": j["window_size"], "shifted": smaller > j["window_size"],
        "hidden": int(j["mlp_ratio"] * j["embed_dim"]), "layout": "parallel_concat",
        "spatial_effect": effects[j["mask_eff"]], "spectral_effect": effects[j["spe_mask_eff"]],
        "scope": "window" if j["spe_split"] else "image", "embedding": "released",
    }  # fmt: skip


def check(file):
    """Largest error of outputs and gradients, each relative to its tensor's largest value."""
    tensor = lambda path: torch.from_numpy(file[path][()]).double()
    model = network.network(configuration(json.loads(file.attrs["config_json"]))).double()
    stored = {our_name(n): tensor("param/" + n) for n in file["param"]}
    own = model.state_dict()
    model.load_state_dict({n: stored[n].reshape(own[n].shape) for n in own})
    x = tensor("input/x").permute(0, 2, 3, 1).requires_grad_()
    mask = tensor("input/mask")[:, 0].requires_grad_()
    out, pins = model(x, mask, pins=True)
    results = {"out": out, **{f"pin{i}": p for i, p in enumerate(pins)}}
    errors = [0.0]
    compare = lambda found, expected: errors.append(
        ((found - expected.reshape(found.shape)).abs().max() / max(expected.abs().max().item(), 1e-9)).item()
    )
    loss = 0
    for name, value in results.items():
        compare(value.detach(), tensor("output/" + name).permute(0, 2, 3, 1))
        loss = loss + (value * tensor("loss/" + name).permute(0, 2, 3, 1)).sum()
    loss.backward()
    compare(x.grad, tensor("grad/x").permute(0, 2, 3, 1))
    if "mask" in file["grad"]:
        compare(mask.grad, tensor("grad/mask"))
    zero = {our_name(n) for n in json.loads(file.attrs["zero_grad_params"])}
    for n in file["grad/param"]:
        if our_name(n) not in zero:
            compare(model.get_parameter(our_name(n)).grad, tensor("grad/param/" + n))
    return max(errors)


def main():
    failed = checked = 0
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.h5")):
        with h5py.File(path) as file:
            if file.attrs["attention_type"] != "Parall_CatSS_Attn":
                continue
            stored_float = any(d.dtype == "float32" for d in file["grad/param"].values())
            error = 0
            for network.fused_attention in (False, True):
                error = max(error, check(file))
        fine = error <= (2e-7 if stored_float else 1e-9)
        checked, failed = checked + 1, failed + (not fine)
        print(f"{path.name:40} {error:9.2e}{'' if fine else '   FAILED'}")
    print(f"{checked} files, {failed} failed (bounds: 1e-9, or 2e-7 where the file stores float32)")
    sys.exit(failed > 0 or checked == 0)


if __name__ == "__main__":
    main()
