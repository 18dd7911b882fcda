#pragma once

/// Script of the page to look at cubes, first part: unpacks the values and turns them into pictures. It contains no
/// double quotes, so that tools which read C++ see one string.

namespace unmask::inline UNMASK_ABI::render::detail {

inline constexpr const char* viewer_script_values = R"js(
'use strict';
const $ = id => document.getElementById(id);
const page = JSON.parse($('view-data').textContent);
const {height: H, width: W, bands: C, block: K, file: [FH, FW], nm, turned} = page;
const N = H * W, NO_NUMBER = 65535, NO_COLOUR = [255, 0, 255];
const cubes = page.cubes.map(c => ({...c, step: (c.hi - c.lo) / 65534, codes: []}));
const clamp = (v, lo, hi) => Math.min(hi, Math.max(lo, v));
const number = (v, digits) => Number.isFinite(v) ? String(Number(v.toPrecision(digits))) : '\u2013';

// Pixel i of a cube is pixel turn(i) of the picture, and the other way round.
const turn = i => turned ? N - 1 - i : i;
const rowOf = i => Math.floor(i / W) * K, columnOf = i => i % W * K;
const placeName = i => {
  const r = rowOf(i), c = columnOf(i), to = (from, size) => Math.min(from + K, size) - 1;
  return K === 1 ? `row ${r}, column ${c}` : `rows ${r}\u2013${to(r, FH)}, columns ${c}\u2013${to(c, FW)}`;
};
const bandName = c => nm.length ? `Band ${c + 1} \u00b7 ${nm[c].toFixed(1)} nm` : `Band ${c + 1}`;

const unpack = async text => {
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = raw.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
};
// The stream holds differences to the left neighbour: all high bytes, then all low ones.
const codesOf = bytes => {
  if (bytes.length !== 2 * N) throw new Error('a band has ' + bytes.length + ' bytes, expected ' + 2 * N);
  const codes = new Uint16Array(N);
  for (let i = 0; i < N; i++) codes[i] = (i % W ? codes[i - 1] : 0) + (bytes[i] << 8 | bytes[N + i]);
  return codes;
};
const loadValues = async progress => {
  for (let k = 0; k < cubes.length; k++) {
    const store = $('values-' + k), lines = store.textContent.trim().split('\n');
    store.remove();
    for (let c = 0; c < C; c++) {
      cubes[k].codes.push(codesOf(await unpack(lines[c])));
      progress((k * C + c + 1) / (cubes.length * C));
    }
  }
};

const valueAt = (k, c, i) => {
  const q = cubes[k].codes[c][i];
  return q === NO_NUMBER ? NaN : cubes[k].lo + q * cubes[k].step;
};
const spectrumAt = (k, i) => Array.from({length: C}, (_, c) => valueAt(k, c, i));

const planeOf = (k, c, factor) => {
  const plane = new Float32Array(N);
  for (let i = 0; i < N; i++) plane[i] = factor * valueAt(k, c, i);
  return plane;
};
// Linear sRGB, 1 is white; made once a cube.
const colours = [];
const colourOf = k => {
  if (colours[k]) return colours[k];
  const planes = [0, 1, 2].map(() => new Float32Array(N));
  for (let c = 0; c < C; c++) {
    const [r, g, b] = page.weights[c].map(w => w * page.exposure);
    for (let i = 0; i < N; i++) {
      const v = valueAt(k, c, i);
      planes[0][i] += r * v, planes[1][i] += g * v, planes[2][i] += b * v;
    }
  }
  return colours[k] = planes;
};

// Light in 0..1 to a code value: the power of the gamma control, then the sRGB curve.
const curve = new Uint8Array(65536);
const setCurve = gamma => {
  for (let i = 0; i < curve.length; i++) {
    const x = (i / 65535) ** (1 / gamma);
    curve[i] = Math.round(255 * (x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055));
  }
};
const codeOf = light => curve[light > 0 ? (light < 1 ? light * 65535 + 0.5 | 0 : 65535) : 0];

const paint = (canvas, pixel) => {
  const picture = new ImageData(W, H), colour = [0, 0, 0];
  for (let i = 0; i < N; i++) {
    pixel(i, colour);
    picture.data.set(colour, 4 * turn(i));
    picture.data[4 * turn(i) + 3] = 255;
  }
  canvas.getContext('2d').putImageData(picture, 0, 0);
};
const setColour = (colour, r, g, b) => { colour[0] = r; colour[1] = g; colour[2] = b; };
// Planes of light. A true colour outside the gamut is mixed with the grey of its luminance until it fits.
const paintLight = (canvas, [r, g, b], gain, mix, tint) => paint(canvas, (i, colour) => {
  let x = r[i] * gain, y = g[i] * gain, z = b[i] * gain;
  const light = 0.2126 * x + 0.7152 * y + 0.0722 * z, least = Math.min(x, y, z);
  if (light !== light) return setColour(colour, ...NO_COLOUR);
  if (mix && least < 0) {
    const keep = light > 0 ? light / (light - least) : 0;
    x = light + keep * (x - light), y = light + keep * (y - light), z = light + keep * (z - light);
  }
  setColour(colour, codeOf(x) * tint[0], codeOf(y) * tint[1], codeOf(z) * tint[2]);
});
const paintNumbers = (canvas, plane, lo, hi, colours) => paint(canvas, (i, colour) => {
  const t = clamp((plane[i] - lo) / (hi - lo), 0, 1);
  setColour(colour, ...(t === t ? colours[Math.round(t * (colours.length - 1))] : NO_COLOUR));
});

const rmsDifference = () => {
  const sum = new Float64Array(N);
  for (let c = 0; c < C; c++)
    for (let i = 0; i < N; i++) sum[i] += (valueAt(1, c, i) - valueAt(0, c, i)) ** 2;
  return Float32Array.from(sum, s => Math.sqrt(s / C));
};
const bandDifference = c => {
  const plane = new Float32Array(N);
  for (let i = 0; i < N; i++) plane[i] = valueAt(1, c, i) - valueAt(0, c, i);
  return plane;
};
// The 99th percentile of the sizes, above 0.
const topOf = plane => {
  const sizes = plane.map(Math.abs).filter(Number.isFinite).sort();
  return sizes.length && sizes[sizes.length - 1] > 0 ? sizes[Math.round(0.99 * (sizes.length - 1))] || sizes[sizes.length - 1] : 1;
};
const rgbOf = hex => [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16));
const mixed = (a, b, t) => a.map((v, i) => v + (b[i] - v) * t);
const heatColours = page.heat.map(rgbOf);
// Blue where the second cube is darker, red where it is brighter.
const signColours = Array.from({length: 255}, (_, j) => j < 127 ? mixed([5, 80, 160], [247, 247, 247], j / 127)
                                                                : mixed([247, 247, 247], [178, 24, 43], (j - 127) / 127));
)js";

}  // namespace unmask::inline UNMASK_ABI::render::detail
