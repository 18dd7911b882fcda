#pragma once

/// Script of the page to look at cubes, second part: the chart of spectra, as SVG at the size it is shown at.

namespace unmask::inline UNMASK_ABI::render::detail {

inline constexpr const char* viewer_script_chart = R"js(
const element = (name, attributes, text) => {
  const made = document.createElementNS($('chart').namespaceURI, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
};
// Multiples of the 1-2-5 step that cuts lo..hi into at most `most` pieces.
const ticksOf = (lo, hi, most) => {
  const raw = (hi - lo) / most, decade = 10 ** Math.floor(Math.log10(raw));
  const step = decade * ([1, 2, 5].find(m => m * decade >= raw * (1 - 1e-9)) || 10), ticks = [];
  for (let j = Math.ceil(lo / step - 1e-9); j * step <= hi + 1e-9 * step; j++) ticks.push(j * step);
  return {step, ticks};
};
const across = nm.length ? nm : Array.from({length: C}, (_, c) => c + 1);

// What the chart shows over: ends of both axes, and where a number lies in the picture.
const chartFrame = (lines, whole, width, height) => {
  let x0 = Math.min(...across), x1 = Math.max(...across), y0 = Infinity, y1 = -Infinity;
  if (x0 === x1) x0 -= 0.5, x1 += 0.5;
  const values = whole ? cubes.flatMap(c => [c.lo, c.hi]) : lines.flatMap(l => l.values);
  for (const v of values) if (Number.isFinite(v)) y0 = Math.min(y0, v), y1 = Math.max(y1, v);
  if (!(y0 <= y1)) y0 = 0, y1 = 1;
  y0 = Math.min(y0, 0);  // noise on a flat line should not look like a signal
  if (y0 === y1) y1 = y0 + 1;
  const step = ticksOf(y0, y1, 6).step;
  y1 = Math.ceil(y1 / step - 1e-9) * step;
  const ticks = ticksOf(y0, y1, 6).ticks, left = 26 + 7 * Math.max(...ticks.map(t => number(t, 4).length));
  const f = {left, right: width - 14, top: 10, bottom: height - 54, yTicks: ticks};
  f.xTicks = ticksOf(x0, x1, Math.max(2, Math.floor((f.right - left) / 70))).ticks.filter(t => nm.length || t % 1 === 0);
  f.x = v => left + (v - x0) / (x1 - x0) * (f.right - left);
  f.y = v => f.bottom - (v - y0) / (y1 - y0) * (f.bottom - f.top);
  return f;
};

const drawAxes = (chart, f, width, height) => {
  for (const t of f.yTicks) {
    chart.append(element('path', {d: `M${f.left} ${f.y(t)}H${f.right}`, class: t === 0 ? 'zero' : 'grid'}));
    chart.append(element('text', {x: f.left - 7, y: f.y(t), dy: '.34em', class: 'y tick', 'text-anchor': 'end'},
                         number(t, 4)));
  }
  for (let c = 0; nm.length && c < C; c++) {
    const half = other => other < 0 || other >= C ? f.x(nm[c]) : (f.x(nm[c]) + f.x(nm[other])) / 2;
    const [from, to] = [half(c - 1), half(c + 1)].sort((a, b) => a - b);
    chart.append(element('rect', {x: from, y: f.bottom + 1, width: to - from + 0.3, height: 6, fill: page.tint[c]}));
  }
  const below = f.bottom + (nm.length ? 8 : 0);
  chart.append(element('path', {d: `M${f.left} ${f.bottom}H${f.right}`, class: 'zero'}));
  for (const t of f.xTicks) {
    chart.append(element('path', {d: `M${f.x(t)} ${below}v5`, class: 'zero'}));
    chart.append(element('text', {x: f.x(t), y: below + 18, class: 'x tick', 'text-anchor': 'middle'}, number(t, 6)));
  }
  chart.append(element('text', {x: (f.left + f.right) / 2, y: height - 6, 'text-anchor': 'middle'},
                       nm.length ? 'Wavelength [nm]' : 'Band'));
  chart.append(element('text', {transform: `translate(13 ${(f.top + f.bottom) / 2}) rotate(-90)`,
                                'text-anchor': 'middle'}, 'Value'));
};

// Where a number is missing the line has a gap.
const drawLine = (chart, f, line) => {
  let path = '', down = false;
  line.values.forEach((v, c) => {
    if (Number.isFinite(v)) path += (down ? 'L' : 'M') + f.x(across[c]).toFixed(2) + ' ' + f.y(v).toFixed(2);
    down = Number.isFinite(v);
  });
  chart.append(element('path', {d: path, class: 'line' + (line.cube ? ' second' : ''), 'data-pin': line.letter,
                                'data-cube': cubes[line.cube].name, style: 'stroke:' + line.colour}));
  for (let c = 0; C <= 40 && c < C; c++)
    if (Number.isFinite(line.values[c]) && !line.cube)
      chart.append(element('circle', {cx: f.x(across[c]), cy: f.y(line.values[c]), r: C === 1 ? 4 : 2,
                                      style: 'fill:' + line.colour}));
};

// lines: {letter, cube, colour, values}; marks: {band, colour} of the bands in the picture; probe: a band or -1.
// Returns the frame, to find the band under the pointer.
const drawChart = (lines, marks, probe, whole) => {
  const chart = $('chart'), width = Math.max(240, chart.clientWidth), height = Math.max(200, chart.clientHeight);
  chart.setAttribute('viewBox', `0 0 ${width} ${height}`);
  chart.replaceChildren();
  const f = chartFrame(lines, whole, width, height);
  drawAxes(chart, f, width, height);
  for (const {band, colour} of marks)
    chart.append(element('path', {d: `M${f.x(across[band])} ${f.top}V${f.bottom}`, class: 'mark', style: 'stroke:' + colour}));
  if (probe >= 0) chart.append(element('path', {d: `M${f.x(across[probe])} ${f.top}V${f.bottom}`, class: 'probe'}));
  for (const line of lines) drawLine(chart, f, line);
  return f;
};
)js";

}  // namespace unmask::inline UNMASK_ABI::render::detail
