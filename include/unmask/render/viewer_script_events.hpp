#pragma once

/// Script of the page to look at cubes, last part: mouse, keys and controls, files to save, and the start.

namespace unmask::inline UNMASK_ABI::render::detail {

inline constexpr const char* viewer_script_events = R"js(
const moveTo = i => {
  if (i === state.cursor) return;
  state.cursor = i;
  requestAnimationFrame(drawSpectra);
};
const pixelAt = event => {
  const box = $('picture').getBoundingClientRect();
  const x = clamp(Math.floor((event.clientX - box.left) / box.width * W), 0, W - 1);
  const y = clamp(Math.floor((event.clientY - box.top) / box.height * H), 0, H - 1);
  return turn(y * W + x);
};

const watchPicture = () => {
  const picture = $('picture');
  picture.addEventListener('pointermove', event => moveTo(pixelAt(event)));
  picture.addEventListener('click', event => { moveTo(pixelAt(event)); pin(pixelAt(event)); });
  picture.addEventListener('keydown', event => {
    const arrow = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
    if (event.target !== picture || event.ctrlKey || event.altKey || event.metaKey) return;
    if (arrow) {
      const at = turn(state.cursor), by = event.shiftKey ? 10 : 1;
      const x = clamp(at % W + by * arrow[0], 0, W - 1), y = clamp(Math.floor(at / W) + by * arrow[1], 0, H - 1);
      moveTo(turn(y * W + x));
      say(placeName(state.cursor));
    } else if (event.key === 'Enter' || event.key === ' ') {
      pin(state.cursor);
    } else if (event.key === 'Delete' || event.key === 'Backspace') {
      state.pins = state.pins.filter(p => p.i !== state.cursor);
      drawSpectra();
    } else {
      return;
    }
    event.preventDefault();
  });
};

// The handle that divides the picture: left of it the first cube, right of it the second.
const watchSplit = () => {
  const split = $('split');
  const to = part => { state.split = clamp(part, 0, 1); drawSplit(); };
  split.addEventListener('pointerdown', event => split.setPointerCapture(event.pointerId));
  split.addEventListener('pointermove', event => {
    event.stopPropagation();
    const box = $('picture').getBoundingClientRect();
    if (split.hasPointerCapture(event.pointerId)) to((event.clientX - box.left) / box.width);
  });
  split.addEventListener('click', event => event.stopPropagation());
  split.addEventListener('keydown', event => {
    const by = {ArrowLeft: -0.02, ArrowDown: -0.02, ArrowRight: 0.02, ArrowUp: 0.02, Home: -1, End: 1}[event.key];
    if (by === undefined) return;
    to(state.split + by);
    event.preventDefault();
    event.stopPropagation();
  });
  drawSplit();
};

const watchChart = () => {
  $('chart').addEventListener('pointermove', event => {
    const x = event.clientX - $('chart').getBoundingClientRect().left;
    state.probe = across.reduce((best, v, c) => Math.abs(frame.x(v) - x) < Math.abs(frame.x(across[best]) - x) ? c : best, 0);
    requestAnimationFrame(drawSpectra);
  });
  $('whole').addEventListener('change', event => { state.whole = event.target.checked; drawSpectra(); });
};

const watchControls = () => {
  const drawAll = () => { drawSpectra(); drawPicture(); };
  $('mode').addEventListener('change', event => { state.mode = event.target.value; drawAll(); });
  for (const name of [...channels, 'grey']) {
    const choose = event => {
      if (name === 'grey') state.band = +event.target.value;
      else state.bands[channels.indexOf(name)] = +event.target.value;
      drawAll();
    };
    $('select-' + name).replaceChildren(...across.map((_, c) => new Option(bandName(c), c)));
    $('select-' + name).addEventListener('change', choose);
    $('range-' + name).addEventListener('input', choose);
    if (nm.length > 1) $('range-' + name).nextElementSibling.style.background = `linear-gradient(to right,${page.tint})`;
  }
  $('tint').addEventListener('change', event => { state.tint = event.target.checked; drawPicture(); });
  const tones = () => {
    state.gain = 2 ** $('gain').value, state.gamma = 2 ** $('gamma').value;
    $('gain-value').textContent = '\u00d7' + number(state.gain, 3);
    $('gamma-value').textContent = number(state.gamma, 3);
    $('gain').setAttribute('aria-valuetext', $('gain-value').textContent);
    $('gamma').setAttribute('aria-valuetext', $('gamma-value').textContent);
    drawPicture();
  };
  for (const id of ['gain', 'gamma']) $(id).addEventListener('input', tones);
  $('reset').addEventListener('click', () => { $('gain').value = $('gamma').value = 0; tones(); });
  $('unpin').addEventListener('click', () => { state.pins = []; drawSpectra(); });
};

const save = (blob, name) => {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name.replace(/[^\w.-]+/g, '_');
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  say(`Saved ${link.download}`);
};
// One pixel for each of the cube's, divided where the handle stands.
const savePicture = () => {
  const canvas = document.createElement('canvas'), seam = Math.round(state.split * W), to = canvas.getContext('2d');
  canvas.width = W, canvas.height = H;
  to.drawImage($('first'), 0, 0);
  if (two && !isDifference() && seam < W) to.drawImage($('second'), seam, 0, W - seam, H, seam, 0, W - seam, H);
  const bands = state.mode === 'rgb' ? state.bands : state.mode === 'grey' || state.mode === 'signed' ? [state.band] : [];
  const name = {colour: 'colour', rgb: 'bands', grey: 'band', rms: 'difference', signed: 'difference_band'}[state.mode];
  canvas.toBlob(blob => save(blob, [...cubes.map(c => c.name), name, ...bands.map(c => c + 1)].join('_') + '.png'));
};
// A line for each pinned pixel, cube and band; where nothing is pinned, for the cursor.
const saveSpectra = () => {
  const quoted = text => /[\x22,\n\r]/.test(text) ? '\x22' + text.replaceAll('\x22', '\x22\x22') + '\x22' : text;
  const lines = state.pins.length ? shownLines().filter(l => l.letter !== 'cursor') : shownLines();
  lines.sort((a, b) => a.cube - b.cube);
  const head = ['pin', 'cube', 'row', 'column', ...(K > 1 ? ['mean_over'] : []), 'band', ...(nm.length ? ['wavelength_nm'] : []),
                'value'];
  const rows = lines.flatMap(l => l.values.map((v, c) => [
    l.letter, quoted(cubes[l.cube].name), rowOf(l.i), columnOf(l.i), ...(K > 1 ? [`${K}x${K}`] : []), c + 1,
    ...(nm.length ? [nm[c]] : []), Number.isFinite(v) ? Number(v.toPrecision(7)) : 'nan'].join(',')));
  save(new Blob([head.join(',') + '\n' + rows.join('\n') + '\n'], {type: 'text/csv'}),
       [...cubes.map(c => c.name), 'spectra'].join('_') + '.csv');
};

// Hard pixels where the picture is magnified, smooth ones where it is reduced.
const resize = () => {
  $('picture').classList.toggle('hard', $('picture').clientWidth * devicePixelRatio > W);
  drawSpectra();
};

loadValues(done => { $('state').textContent = `Unpacking the values: ${Math.round(100 * done)} %`; }).then(() => {
  watchPicture();
  watchSplit();
  watchChart();
  watchControls();
  $('save-picture').addEventListener('click', savePicture);
  $('save-spectra').addEventListener('click', saveSpectra);
  drawPicture();
  resize();
  new ResizeObserver(resize).observe($('look'));
  $('state').remove();
}).catch(failure => {
  $('state').textContent = `The values cannot be unpacked (${failure.message}). A browser with DecompressionStream is ` +
                           'needed: Chrome 88, Firefox 113, Safari 16.4 or newer.';
});
)js";

}  // namespace unmask::inline UNMASK_ABI::render::detail
