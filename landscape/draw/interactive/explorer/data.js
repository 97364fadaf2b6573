// The scans, unpacked when first shown, and what is shown of them.

const PAGE = JSON.parse($("data").textContent);
const THEME = PAGE.theme;
const state = {
  at: 0, measure: 0, log: true, exaggeration: 1, index: 0, playing: false,
  path: true, contours: true, floor: true, through: false, hidden: new Set(),
  // A grid point that the keys point at: [a, b], of a valley [column, b].
  probe: null,
};
const scan = () => unpacked(PAGE.scans[state.at]);
const kind = () => scan().kind;
const measure = () => scan().measures[state.measure];
const onScale = (value) => position(measure(), value);

// Light or dark: what was chosen, else what the system says.
const DARK = matchMedia("(prefers-color-scheme: dark)");
const dark = () => (document.documentElement.dataset.theme ?? (DARK.matches ? "dark" : "light")) === "dark";
const look = () => THEME.looks[dark() ? "dark" : "light"];
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function unpacked(one) {
  if (one.unpacked) return one;
  one.measured = unpack(one.measured, Uint8Array);
  for (const part of one.measures) {
    part.values = unpack(part.values);
    part.error = unpack(part.error);
    part.band = part.band && part.band.map((side) => unpack(side));
  }
  for (const path of one.paths) {
    const xy = unpack(path.xy), axes = one.kind === "line" ? 1 : 2;
    path.x = path.step.map((_, row) => xy[row * axes]);
    path.y = path.step.map((_, row) => (axes === 1 ? 0 : xy[row * axes + 1]));
    path.away = unpack(path.away);
    path.true = unpack(path.true);
    path.plane = unpack(path.plane);
    path.faded = unpack(path.faded, Uint8Array);
  }
  if (one.kind === "valley") {
    for (const name of ["walls", "widths", "critical", "bounds", "length"]) one[name] = unpack(one[name]);
    one.own = { x: unpack(one.own.x), loss: unpack(one.own.loss) };
    one.size = [one.left.length, one.y.length];
    one.wide = one.left.at(-1) + 1;
  } else {
    const steps = new Set(one.paths.flatMap((path) => path.step));
    one.steps = [...steps].sort((a, b) => a - b);
    one.number = new Map(one.steps.map((at, k) => [at, k]));
  }
  one.unpacked = true;
  return one;
}

// From 0 at a scale's low end to 1 at its high end: the colour, and the height unless linear.
function position(of, value) {
  if (!of.log) return (value - of.low) / (of.high - of.low);
  return Math.log(value / of.low) / Math.log(of.high / of.low);
}

function height(of, value) {
  return of.log && !state.log ? (value - of.low) / (of.high - of.low) : position(of, value);
}

const ticksOf = (of) => (of.log && (state.log || kind() === "valley") ? of.ticks.log : of.ticks.linear);
const step = () => scan().steps[state.index] ?? 0;
const shown = () => scan().paths.filter((_, k) => !state.hidden.has(k));

// The last row of a path that was recorded by now; −1 before its first.
function row(path, by = step()) {
  let low = 0, high = path.step.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (path.step[middle] <= by) low = middle + 1; else high = middle;
  }
  return low - 1;
}

// Places from 0 to 1 along the steps of all paths.
function when(at) {
  const steps = scan().steps, last = steps[steps.length - 1];
  return last > steps[0] ? (at - steps[0]) / (last - steps[0]) : 0;
}

// The same by recorded row: where much is recorded much happened, and has more colours.
const paced = (at) => scan().number.get(at) / Math.max(1, scan().steps.length - 1);

const happening = (path, at) => [...new Set(path.events
  .filter((event) => event.first <= at && at <= event.last).map((event) => event.name))];

// Why a grid point has no finite value.
function absent(one, at, value) {
  if (Number.isNaN(value)) return one.measured && !one.measured[at] ? "not measured" : "NaN";
  return Number.isFinite(value) ? "" : value > 0 ? "infinite" : "minus infinite";
}

// How far off a value may be: interpolated, or a mean over some of the samples.
function doubt(one, of, at) {
  const error = of.error?.[at] ?? 0, measured = !one.measured || one.measured[at];
  if (!(error > 0)) return measured ? "" : ", interpolated";
  return measured ? `, standard error ${written(error, 2)}` : `, interpolated, ± ${written(error, 2)}`;
}

// A grid point's measures, as rows of what and how much.
const valuesAt = (one, at, which = one.measures) => which.map((each) =>
  [each.short, absent(one, at, each.values[at]) || written(each.values[at], 4) + doubt(one, each, at)]);

const lossKind = () => measure().name.endsWith("_loss");
