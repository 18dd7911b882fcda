#!/usr/bin/env python3
"""A page that runs the embedded example in a browser, everything in one file.

page.py EMBEDDED.WASM FOLDER SIDE OUTPUT.html     FOLDER: of bench/embedded/frames.py make FOLDER SIDE

The page shows the snapshot, three bands of the cube as a picture, and the frame's time.
"""
import base64
import sys

PAGE = """<!doctype html>
<meta charset="utf-8">
<title>unmask in WebAssembly</title>
<style>
  body { font: 16px sans-serif; margin: 24px; }
  canvas { height: 320px; image-rendering: pixelated; margin-right: 16px; }
</style>
<h1>unmask in WebAssembly</h1>
<p>A coded snapshot and the cube made of it here, bands 22, 13 and 4 as red, green and blue.</p>
<canvas id="snapshot"></canvas><canvas id="cube"></canvas>
<pre id="said">running ...</pre>
<script>
const side = SIDE, bands = 28;
const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
const wasm = bytes("WASM"), mask = bytes("MASK"), frame = bytes("FRAME");

// The few calls of WASI that the example makes: arguments, a folder with the mask, standard input, output and error.
class Exit { constructor(code) { this.code = code; } }
function run(module) {
  let memory, said = "", time = 0;
  const out = [], place = new Map([[0, 0], [4, 0]]), content = new Map([[0, frame], [4, mask]]);
  const view = () => new DataView(memory.buffer), text = new TextEncoder();
  const names = ["embedded", String(side), String(side), "/mask.raw"].map(a => text.encode(a + "\\0"));
  const each = (at, count, body) => {
    let done = 0;
    for (let i = 0; i < count; ++i) {
      const n = body(new Uint8Array(memory.buffer, view().getUint32(at + 8 * i, true), view().getUint32(at + 8 * i + 4, true)));
      done += n;
      if (n == 0) break;
    }
    return done;
  };
  const calls = {
    args_sizes_get(count, size) {
      view().setUint32(count, names.length, true);
      view().setUint32(size, names.reduce((n, a) => n + a.length, 0), true);
      return 0;
    },
    args_get(list, to) {
      for (const name of names) {
        view().setUint32(list, to, true);
        new Uint8Array(memory.buffer, to, name.length).set(name);
        list += 4, to += name.length;
      }
      return 0;
    },
    clock_time_get(id, precision, to) {
      view().setBigUint64(to, BigInt(Math.round(performance.now() * 1e6)), true);
      return 0;
    },
    fd_prestat_get(fd, to) {
      if (fd != 3) return 8;
      view().setUint32(to, 0, true);
      view().setUint32(to + 4, 1, true);
      return 0;
    },
    fd_prestat_dir_name(fd, to) { new Uint8Array(memory.buffer)[to] = 47; return 0; },
    fd_fdstat_get(fd, to) {
      new Uint8Array(memory.buffer, to, 24).fill(0);
      view().setUint8(to, fd == 3 ? 3 : fd == 4 ? 4 : 2);
      view().setBigUint64(to + 8, 0xffffffffffffffffn, true);
      view().setBigUint64(to + 16, 0xffffffffffffffffn, true);
      return 0;
    },
    fd_fdstat_set_flags() { return 0; },
    path_open(fd, look, path, length, flags, base, inherit, fdflags, to) { view().setUint32(to, 4, true); return 0; },
    fd_read(fd, at, count, to) {
      const from = content.get(fd);
      view().setUint32(to, each(at, count, part => {
        const begin = place.get(fd), some = from.subarray(begin, begin + part.length);
        part.set(some);
        place.set(fd, begin + some.length);
        return some.length;
      }), true);
      return 0;
    },
    fd_write(fd, at, count, to) {
      view().setUint32(to, each(at, count, part => {
        if (fd == 1) out.push(part.slice());
        else said += new TextDecoder().decode(part);
        return part.length;
      }), true);
      return 0;
    },
    fd_seek() { return 8; }, fd_close() { return 0; }, environ_get() { return 0; },
    environ_sizes_get(count, size) { view().setUint32(count, 0, true); view().setUint32(size, 0, true); return 0; },
    proc_exit(code) { throw new Exit(code); },
  };
  const others = new Proxy(calls, { get: (all, name) => all[name] ?? (() => 52) });
  const instance = new WebAssembly.Instance(module, { wasi_snapshot_preview1: others });
  memory = instance.exports.memory;
  let code = 0;
  try { instance.exports._start(); } catch (end) { if (!(end instanceof Exit)) throw end; code = end.code; }
  const all = new Uint8Array(out.reduce((n, p) => n + p.length, 0));
  out.reduce((n, p) => (all.set(p, n), n + p.length), 0);
  return { code, said, cube: new Float32Array(all.buffer) };
}

function draw(id, width, colour) {
  const canvas = document.getElementById(id), context = canvas.getContext("2d");
  canvas.width = width, canvas.height = side;
  const image = context.createImageData(width, side);
  for (let i = 0; i < width * side; ++i) image.data.set([...colour(i).map(v => 255 * Math.sqrt(Math.max(0, v))), 255], 4 * i);
  context.putImageData(image, 0, 0);
}
const largest = values => values.reduce((a, b) => Math.max(a, b), 0);

WebAssembly.compile(wasm).then(module => {
  const measured = new Float32Array(frame.buffer, 0, frame.length / 4), width = side + 2 * (bands - 1);
  const most = largest(measured);
  draw("snapshot", width, i => [measured[i] / most, measured[i] / most, measured[i] / most]);
  const { code, said, cube } = run(module);
  const white = largest(cube);
  draw("cube", side, i => [22, 13, 4].map(b => cube[i * bands + b] / white));
  document.getElementById("said").textContent = said + "exit code " + code + ", " + cube.length + " numbers";
}).catch(e => { document.getElementById("said").textContent = "failed: " + e; });
</script>
"""


def encoded(path, limit=None):
    with open(path, "rb") as f:
        return base64.b64encode(f.read(limit) if limit else f.read()).decode()


def main(wasm, folder, side, output):
    one = 4 * int(side) * (int(side) + 54)
    page = PAGE.replace("SIDE", str(int(side))).replace('"WASM"', f'"{encoded(wasm)}"')
    page = page.replace('"MASK"', f'"{encoded(folder + "/mask.raw")}"')
    page = page.replace('"FRAME"', f'"{encoded(folder + "/frames.raw", one)}"')
    with open(output, "w", encoding="utf-8") as f:
        f.write(page)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
