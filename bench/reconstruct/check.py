"""What hold-out validation is worth: scenes by spectral TV, by all steps (--check-rows 0), and by the steps that it takes.
Needs UNMASK_DATA (folders cassi/ and cave256/) and build/release/unmask.
usage: check.py DIR [--mask tsa_simu_mask256.mat] [scene ...]"""
import argparse
import json
import os
import pathlib
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
    command = [root / "build/release/unmask", "--json", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return json.loads(done.stdout)


def quality(truth, name, *options):
    """What `reconstruct` says, with PSNR in dB."""
    out = chosen.dir / f"{name}.h5"
    said = unmask("reconstruct", "--measurement", f"{truth}:measurement", "--mask", mask, "--out", out, "--force", *options)
    said.update(unmask("evaluate", "--truth", f"{truth}:cube", "--estimate", out))
    return said


total = [0.0, 0.0, 0.0]
print("| scene | spectral TV | all steps | steps taken | network | passes |\n|---|---|---|---|---|---|")
for scene in scenes:
    truth = chosen.dir / f"{scene}.h5"
    unmask("simulate", "--cube", data / "cave256" / f"{scene}.h5", "--bands", "benchmark", "--mask", mask, "--out", truth,
           "--force")
    found = [quality(truth, "estimate", "--method", "spectral-tv", "--weights", root / "models/general.safetensors"),
             quality(truth, "all", "--check-rows", "0"), quality(truth, "checked")]
    psnr = [f["psnr"] for f in found]
    total = [t + p for t, p in zip(total, psnr)]
    steps = found[2]["steps"]
    print(f"| {scene} | " + " | ".join(f"{p:.2f}" for p in psnr) + f" | {'yes' if steps['network'] else 'no'} | {steps['refinements']} |",
          flush=True)
print("| mean | " + " | ".join(f"{t / len(scenes):.2f}" for t in total) + " | | |")
