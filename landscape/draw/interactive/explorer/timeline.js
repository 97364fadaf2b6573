// The steps: a small curve of the training loss to click into, a slider, playing.

const SECONDS = 12, MARGIN = { left: 46, right: 10, top: 5, bottom: 17 };
let clock = null;

const stripWidth = () => Math.max(80, $("curve").clientWidth || 600);
const alongStrip = (at) => MARGIN.left + clamp(when(at), 0, 1) * (stripWidth() - MARGIN.left - MARGIN.right);

function drawTimeline() {
  const one = scan(), none = one.steps.length < 2;
  $("scrub").max = Math.max(0, one.steps.length - 1);
  for (const id of ["scrub", "play"]) $(id).disabled = none;
  if (kind() !== "valley") drawStrip();
  moveCursor();
}

function drawStrip() {
  const one = scan(), svg = $("curve"), wide = stripWidth(), high = svg.clientHeight || 76;
  const floor = high - MARGIN.bottom, right = wide - MARGIN.right;
  const known = one.paths.flatMap((path) => Array.from(path.true)).filter(Number.isFinite);
  const low = Math.min(...known), top = Math.max(...known), log = low > 0;
  const up = (value) => {
    const share = log ? Math.log(value / low) / Math.log(top / low) : (value - low) / (top - low);
    return floor - 3 - (floor - MARGIN.top - 6) * (top > low ? share : 0.5);
  };
  svg.setAttribute("viewBox", `0 0 ${wide} ${high}`);
  let inside = `<rect class="ground" x="${MARGIN.left}" y="${MARGIN.top}" width="${right - MARGIN.left}" height="${floor - MARGIN.top}"/>`;
  for (const path of one.paths) for (const [name, first, last] of path.stretches) {
    const from = alongStrip(first), to = alongStrip(last);
    inside += `<rect x="${from}" y="${MARGIN.top}" width="${Math.max(to - from, 2)}" height="${floor - MARGIN.top}" ` +
      `fill="${THEME.episodes[name]}" opacity="${look().band}"><title>${name}</title></rect>`;
  }
  const of = one.measures.find((part) => part.name === "train_loss") ?? one.measures[0];
  const values = known.length ? (of.log ? of.ticks.log : of.ticks.linear).filter(([value]) => value >= low && value <= top) : [];
  const heights = values.map(([value]) => up(value));
  for (const k of stacked(heights, 13)) {
    const text = values[k][1];
    inside += `<line class="rule" x1="${MARGIN.left - 3}" x2="${right}" y1="${heights[k]}" y2="${heights[k]}"/>` +
      letters(MARGIN.left - 6, heights[k] + 3.5, text, 'text-anchor="end"');
  }
  inside += `<text transform="translate(10,${(floor + MARGIN.top) / 2}) rotate(-90)" text-anchor="middle">loss</text>`;
  if (one.steps.length) {
    const ends = [one.steps[0], one.steps.at(-1)];
    const steps = roundTicks(...ends, Math.max(2, (right - MARGIN.left) / 90));
    const name = "step", edge = right - textWidth(name, 11) - 8;
    for (const at of ends[1] > ends[0] ? steps : ends.slice(1)) {
      const x = alongStrip(at);
      inside += `<line class="tick" x1="${x}" x2="${x}" y1="${floor}" y2="${floor + 3}"/>`;
      if (x + textWidth(whole(at), 11) / 2 < edge) inside += letters(x, high - 3, whole(at), 'text-anchor="middle"');
    }
    inside += letters(right, high - 3, name, 'text-anchor="end"');
  }
  one.paths.forEach((path, n) => {
    const points = path.step.map((at, k) => [at, path.true[k]]).filter(([, y]) => Number.isFinite(y));
    // A dot for each measured loss, joined only where no step lies between two of them.
    let pen = "";
    points.forEach(([at, y], k) => {
      const place = `${alongStrip(at).toFixed(1)},${up(y).toFixed(1)}`;
      pen += k && at - points[k - 1][0] === 1 ? `L${place}` : `M${place}h0`;
    });
    inside += `<path d="${pen}" fill="none" stroke="${look().train}" stroke-linecap="round" stroke-linejoin="round" ` +
      `stroke-width="${n ? 1.4 : 2}"/>`;
  });
  inside += `<g id="cursor"><line y1="${MARGIN.top}" y2="${floor}"/></g>`;
  for (const point of new Map(one.points.map((each) => [each.step, each])).values()) {
    const k = one.paths[0]?.step.indexOf(point.step) ?? -1, value = one.paths[0]?.true[k];
    if (k >= 0 && Number.isFinite(value)) inside += mark(point.name, alongStrip(point.step), up(value), 4.5);
  }
  svg.innerHTML = inside;
}

function moveCursor() {
  $("cursor")?.setAttribute("transform", `translate(${alongStrip(step())},0)`);
  $("scrub").value = state.index;
  $("scrub").setAttribute("aria-valuetext", `step ${whole(step())}`);
  $("step").textContent = whole(step());
}

function play(on) {
  const last = scan().steps.length - 1;
  on = on && last > 0;
  if (on && state.index >= last) state.index = 0;
  state.playing = on;
  $("play").textContent = on ? "❚❚" : "▶";
  $("play").setAttribute("aria-label", on ? "Pause" : "Play");
  clock = null;
  if (on) requestAnimationFrame(tick);
}

// Through all recorded steps in twelve seconds; a slow machine leaves some out.
function tick(now) {
  if (!state.playing) return;
  const last = scan().steps.length - 1;
  clock ??= { now, index: state.index };
  const gone = (now - clock.now) / 1000 / SECONDS * Number($("speed").value) * last;
  const index = Math.min(last, clock.index + Math.floor(gone));
  if (index !== state.index) goTo(index);
  if (index >= last) play(false); else requestAnimationFrame(tick);
}
