"""What hold-out validation is worth: scenes by spectral TV, by all steps (--check-rows 0), and by the steps that it takes;
and what `--effort fast` costs: PSNR, and its time over that of the steps taken, one thread each, one after the other.
Needs UNMASK_DATA (folders cassi/ and cave256/) and build/release/unmask.
usage: check.py DIR [--mask tsa_simu_mask256.mat] [scene ...]"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("dir", type=pathlib.Path)
parser.add_argument("scenes", nargs="*")
parser.add_argument("--mask", default="tsa_simu_mask256.mat")
chosen = parser.parse_args()

data = pathlib.Path(os.environ["UNMASK_DATA"])
root = pathlib.Path(__file__).parents[2]
mask = data / "cassi" / chosen.mask
scenes = chosen.scenes or sorted(path.stem for path in (data / "cave256").glob("*.h5"))
chosen.dir.mkdir(parents=True, exist_ok=True)


def unmask(*arguments):
    command = [os.environ.get("UNMASK_PROGRAM", root / "build/release/unmask"), "--json", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return json.loads(done.stdout)


def quality(truth, name, *options):
    """What `reconstruct` says, with PSNR in dB."""
    out = chosen.dir / f"{name}.h5"
    said = unmask("reconstruct", "--measurement", f"{truth}:measurement", "--mask", mask, "--out", out, "--force", *options)
    said.update(unmask("evaluate", "--truth", f"{truth}:cube", "--estimate", out))
    return said


total, ratios = [0.0] * 4, []
print("| scene | spectral TV | all steps | steps taken | network | passes | fast | its time |\n|---|---|---|---|---|---|---|---|")
for scene in scenes:
    truth = chosen.dir / f"{scene}.h5"
    unmask("simulate", "--cube", data / "cave256" / f"{scene}.h5", "--bands", "benchmark", "--mask", mask, "--out", truth,
           "--force")
    found = [quality(truth, "estimate", "--method", "spectral-tv", "--weights", root / "models/general.safetensors"),
             quality(truth, "all", "--check-rows", "0"), quality(truth, "checked", "--threads", "1"),
             quality(truth, "fast", "--effort", "fast", "--threads", "1")]
    psnr = [f["psnr"] for f in found]
    total = [t + p for t, p in zip(total, psnr)]
    steps = found[2]["steps"]
    ratios.append(found[3]["seconds"] / found[2]["seconds"])
    print(f"| {scene} | " + " | ".join(f"{p:.2f}" for p in psnr[:3]) + f" | {'yes' if steps['network'] else 'no'} | {steps['refinements']}"
          f" | {psnr[3]:.2f} | {ratios[-1]:.2f} |", flush=True)
mean = [t / len(scenes) for t in total]
print("| mean | " + " | ".join(f"{m:.2f}" for m in mean[:3]) + f" | | | {mean[3]:.2f} | {statistics.median(ratios):.2f} (median) |")
