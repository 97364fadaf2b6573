// The steps: a small curve of the training loss to click into, a slider, playing.

const SECONDS = 12;
let clock = null;

function drawTimeline() {
  const one = scan(), svg = $("curve"), WIDE = 1000, HIGH = 100;
  const known = one.paths.flatMap((path) => Array.from(path.true)).filter(Number.isFinite);
  const low = Math.min(...known), high = Math.max(...known), log = low > 0;
  const up = (value) => {
    const share = log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
    return HIGH - 4 - (HIGH - 8) * (high > low ? share : 0.5);
  };
  svg.setAttribute("viewBox", `0 0 ${WIDE} ${HIGH}`);
  let inside = `<rect width="${WIDE}" height="${HIGH}" fill="#f6f7f9"/>`;
  for (const path of one.paths) for (const event of path.events) {
    const from = WIDE * clamp(when(event.first), 0, 1), to = WIDE * clamp(when(event.last), 0, 1);
    inside += `<rect x="${from}" width="${Math.max(to - from, 3)}" height="${HIGH}" ` +
      `fill="${THEME.episodes[event.name]}" opacity="0.3"><title>${event.name}</title></rect>`;
  }
  one.paths.forEach((path, n) => {
    const points = path.step.map((at, k) => [at, path.true[k]]).filter(([, y]) => Number.isFinite(y));
    const line = points.map(([at, y]) => `${(WIDE * when(at)).toFixed(1)},${up(y).toFixed(1)}`);
    inside += `<polyline points="${line.join(" ")}" fill="none" stroke="${THEME.train}" ` +
      `stroke-width="1.6" stroke-dasharray="${n ? "5 3" : "none"}" vector-effect="non-scaling-stroke"/>`;
  });
  svg.innerHTML = `${inside}<line id="cursor" y1="0" y2="${HIGH}" stroke="#111" stroke-width="1.5" ` +
    `vector-effect="non-scaling-stroke"/>`;
  const none = one.steps.length < 2;
  $("scrub").max = Math.max(0, one.steps.length - 1);
  for (const id of ["scrub", "play"]) $(id).disabled = none;
  moveCursor();
}

function moveCursor() {
  const place = 1000 * when(step());
  for (const end of ["x1", "x2"]) $("cursor").setAttribute(end, place);
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
