#pragma once

/// Script of the page to look at cubes, third part: what is chosen, the picture with cursor and pins, mouse and keys.

namespace unmask::inline UNMASK_ABI::render::detail {

inline constexpr const char* viewer_script_page = R"js(
const two = cubes.length === 2, SLOTS = 8, channels = ['red', 'green', 'blue'];
const state = {mode: 'colour', bands: [...page.rgb], band: Math.floor(C / 2), tint: false, gain: 1, gamma: 1,
               cursor: page.pins[0] ?? turn(Math.floor(N / 2)), pins: page.pins.map((i, slot) => ({i, slot})),
               split: 0.5, whole: false, probe: -1};
const letterOf = slot => String.fromCharCode(65 + slot), colourOfSlot = slot => `var(--s${slot + 1})`;
const isDifference = () => state.mode === 'rms' || state.mode === 'signed';

const bar = (colours, labels) => {
  $('bar').hidden = !colours;
  if (!colours) return;
  const stops = Array.from({length: 17}, (_, j) => `rgb(${colours[Math.round(j / 16 * (colours.length - 1))]})`);
  $('bar').querySelector('i').style.background = `linear-gradient(to right,${stops})`;
  $('bar').querySelector('span').replaceChildren(...labels.map(text => {
    const label = document.createElement('span');
    label.textContent = text;
    return label;
  }));
};

// Draws the picture anew and says in words how numbers became colours.
const drawPicture = () => {
  const {mode, gain, gamma, bands, band} = state, first = $('first'), second = $('second');
  const light = [`Brightness ${number(gain, 3)}: light is multiplied by it before it is drawn.`,
                 `Gamma ${number(gamma, 3)}: then raised to the power 1/${number(gamma, 3)} (above 1, middle tones are ` +
                 'brighter; black and white stay), and drawn by the sRGB curve.'].join(' ');
  let how = '';
  setCurve(gamma);
  bar();
  if (mode === 'colour') {
    cubes.forEach((_, k) => paintLight(k ? second : first, colourOf(k), gain, true, [1, 1, 1]));
    how = page.rule + ` White is the 99.5th percentile of the luminance of ${cubes[0].name}. `;
  } else if (mode === 'rgb') {
    cubes.forEach((_, k) => paintLight(k ? second : first, bands.map(c => planeOf(k, c, 1 / page.white[c])), gain, false,
                                       [1, 1, 1]));
    how = 'Full ' + channels.map((name, j) => `${name} is ${number(page.white[bands[j]], 3)}`).join(', ') +
          ` (the 99.5th percentile of the band in ${cubes[0].name}); 0 is none. `;
  } else if (mode === 'grey') {
    const tint = state.tint ? rgbOf(page.tint[band]).map(v => v / 255) : [1, 1, 1];
    cubes.forEach((_, k) => {
      const plane = planeOf(k, band, 1 / page.white[band]);
      paintLight(k ? second : first, [plane, plane, plane], gain, false, tint);
    });
    how = `White is ${number(page.white[band], 3)} (the 99.5th percentile of the band in ${cubes[0].name}), black is 0. `;
  } else {
    const all = mode === 'rms', plane = all ? rmsDifference() : bandDifference(band), top = topOf(plane) / gain;
    paintNumbers(first, plane, all ? 0 : -top, top, all ? heatColours : signColours);
    bar(all ? heatColours : signColours, [0, 1, 2, 3, 4].map(j => number(top * (all ? j / 4 : j / 2 - 1), 3)));
    const pair = `${cubes[1].name} minus ${cubes[0].name}`;
    how = (all ? `Root mean square over the bands of ${pair}.` : `${pair} in ${bandName(band)}.`) +
          ` The last colour is the 99th percentile, divided by the brightness ${number(gain, 3)}, and more.`;
  }
  $('how').textContent = how + (isDifference() ? '' : light);
  $('tint-choice').hidden = mode !== 'grey' || !nm.length;
  for (const part of document.querySelectorAll('.pair')) part.hidden = !two || isDifference();
  $('gamma').disabled = isDifference();
};

// The controls of the bands: a select box and a slider each, kept the same.
const drawBands = () => {
  const chosen = state.mode === 'rgb' ? state.bands : state.mode === 'grey' || state.mode === 'signed' ? [state.band] : [];
  for (const name of [...channels, 'grey']) {
    const band = chosen.length === 3 ? chosen[channels.indexOf(name)] : name === 'grey' ? chosen[0] : undefined;
    $('pick-' + name).hidden = band === undefined;
    if (band === undefined) continue;
    $('select-' + name).value = $('range-' + name).value = band;
    $('range-' + name).setAttribute('aria-valuetext', bandName(band));
  }
  return chosen;
};

const mark = (i, kind, letter, colour) => {
  const at = turn(i), x = (at % W + 0.5) / W, y = (Math.floor(at / W) + 0.5) / H, made = document.createElement('span');
  made.className = kind + (x > 0.85 ? ' w' : '');
  made.style.cssText = `left:${100 * x}%;top:${100 * y}%;--mark:${colour}`;
  if (letter) made.append(Object.assign(document.createElement('i'), {textContent: letter}));
  return made;
};

const lineOf = (letter, colour, i) =>
  cubes.map((_, cube) => ({letter, colour, cube, i, values: spectrumAt(cube, i)})).reverse();
// A pinned pixel has its pin's line also where the cursor is.
const shownLines = () => [
  ...state.pins.flatMap(p => lineOf(letterOf(p.slot), colourOfSlot(p.slot), p.i)),
  ...(state.pins.some(p => p.i === state.cursor) ? [] : lineOf('cursor', 'var(--ink)', state.cursor))];

let frame;
const drawSpectra = () => {
  const tones = state.mode === 'rgb' ? ['#e0393e', '#2f9e44', '#3b78e7'] : ['var(--soft)'];
  const marks = drawBands().map((band, j) => ({band, colour: tones[j]})), lines = shownLines();
  frame = drawChart(lines, marks, state.probe, state.whole);
  $('probe').textContent = state.probe < 0 ? 'Move over the chart to read values.' : bandName(state.probe) + ':';
  const values = i => cubes.map((_, k) => number(valueAt(k, state.probe, i), 5)).join(' | ');
  const row = (name, colour, i, button, label) => {
    const item = document.createElement('li');
    item.innerHTML = `<i class=swatch style=background:${colour}></i><b>${name}</b><span>${placeName(i)}</span>` +
                     '<output></output>' + `<button type=button aria-label='${label}'>${button}</button>`;
    if (state.probe >= 0) item.querySelector('output').textContent = values(i);
    return item;
  };
  const items = state.pins.map(p => {
    const item = row(letterOf(p.slot), colourOfSlot(p.slot), p.i, '\u00d7', `Remove pin ${letterOf(p.slot)}`);
    item.querySelector('button').onclick = () => { state.pins = state.pins.filter(q => q !== p); drawSpectra(); };
    return item;
  });
  const here = row('Cursor', 'var(--ink)', state.cursor, 'Pin', 'Pin the pixel under the cursor');
  here.querySelector('button').onclick = () => pin(state.cursor);
  const focused = [...$('pins').querySelectorAll('button')].indexOf(document.activeElement);
  $('pins').replaceChildren(here, ...items);
  if (focused >= 0) $('pins').querySelectorAll('button')[Math.min(focused, items.length)].focus();
  $('marks').replaceChildren(...state.pins.map(p => mark(p.i, 'pt', letterOf(p.slot), colourOfSlot(p.slot))),
                             mark(state.cursor, 'cross', '', ''));
  $('where').textContent = placeName(state.cursor);
};

const pin = i => {
  if (state.pins.some(p => p.i === i)) return;
  const slot = Array.from({length: SLOTS}, (_, s) => s).find(s => !state.pins.some(p => p.slot === s));
  if (slot === undefined) return say(`${SLOTS} pixels are pinned, which is all there are colours for: remove one first.`);
  state.pins.push({i, slot});
  state.pins.sort((a, b) => a.slot - b.slot);
  say(`Pinned ${letterOf(slot)}: ${placeName(i)}`);
  drawSpectra();
};
const say = text => { $('spoken').textContent = text; };

const drawSplit = () => {
  const percent = Math.round(100 * state.split);
  $('second').style.clipPath = `inset(0 0 0 ${100 * state.split}%)`;
  $('split').style.left = $('seam').style.left = 100 * state.split + '%';
  $('split').setAttribute('aria-valuenow', percent);
  $('split').setAttribute('aria-valuetext', `${percent} % ${cubes[0].name}`);
};
)js";

}  // namespace unmask::inline UNMASK_ABI::render::detail
