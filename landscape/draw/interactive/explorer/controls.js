// Controls and keys; the first picture.

const fill = (id, names, chosen) => $(id).replaceChildren(...names.map((name, k) =>
  element("option", { textContent: name, value: k, selected: k === chosen })));
const RUNS = [...new Set(PAGE.scans.map((one) => one.run))];
const ofRun = (run) => PAGE.scans.map((one, at) => ({ ...one, at })).filter((one) => one.run === run);

function choose(at) {
  play(false);
  const name = measure().name;
  state.at = at;
  state.hidden.clear();
  state.probe = null;
  const one = scan(), same = one.measures.findIndex((of) => of.name === name);
  state.measure = Math.max(0, same);
  // A path is first seen whole, a valley where the run was best.
  const best = one.kind === "valley" ? one.points.find((point) => point.name === "best")?.step : undefined;
  state.index = Math.max(0, best === undefined ? one.steps.length - 1 : one.steps.findLastIndex((at) => at <= best));
  const scans = ofRun(one.run);
  fill("run", RUNS, RUNS.indexOf(one.run));
  fill("scan", scans.map((part) => part.name), scans.findIndex((part) => part.at === at));
  fill("measure", one.measures.map((of) => of.short), state.measure);
  return refresh();
}

const chooseRun = (k) => {
  const { name } = scan(), scans = ofRun(RUNS[k]);
  return choose((scans.find((one) => one.name === name) ?? scans[0]).at);
};
const chooseScan = (k) => choose(ofRun(scan().run)[k].at);
const chooseMeasure = (k) => {
  state.measure = k;
  $("measure").value = k;
  return refresh();
};
const next = (id, by) => by((Number($(id).value) + 1) % $(id).options.length);

function stretch(value) {
  state.exaggeration = clamp(value, 0.25, 3);
  $("exaggeration").value = state.exaggeration;
  $("factor").textContent = `×${state.exaggeration}`;
  return kind() !== "plane" ? null : Plotly.relayout(picture, {
    "scene.aspectratio": sceneAspect() });
}

const toggle = (id) => { if (!$(id).disabled) $(id).click(); };
const camera = () => picture._fullLayout.scene._scene.getCamera();
const lookFrom = (eye, center) => Plotly.relayout(picture, {
  "scene.camera": { eye, center, up: { x: 0, y: 0, z: 1 } } });

// Degrees around the vertical, degrees up, and a factor of the distance.
function turn(around, up, nearer = 1) {
  if (kind() !== "plane") return null;
  const { eye, center } = camera();
  const off = ["x", "y", "z"].map((axis) => eye[axis] - center[axis]);
  const far = Math.hypot(...off) * nearer, radians = Math.PI / 180;
  const azimuth = Math.atan2(off[1], off[0]) + around * radians;
  const steep = clamp(Math.asin(off[2] / Math.hypot(...off)) + up * radians, -1.5, 1.5);
  const flat = far * Math.cos(steep);
  return lookFrom({ x: center.x + flat * Math.cos(azimuth), y: center.y + flat * Math.sin(azimuth),
    z: center.z + far * Math.sin(steep) }, center);
}

function reset() {
  stretch(1);
  if (kind() === "valley") return null;
  if (kind() === "plane") return lookFrom(eye(), CENTRE);
  const { xaxis, yaxis } = curveLayout();
  return Plotly.relayout(picture, { "xaxis.range": xaxis.range, "yaxis.range": yaxis.range });
}

function help() {
  const hidden = !$("keys").hidden;
  $("keys").hidden = hidden;
  $("help").setAttribute("aria-expanded", String(!hidden));
}

// Light or dark from now on, whatever the system says.
function changeTheme(to = dark() ? "light" : "dark") {
  document.documentElement.dataset.theme = to;
  return refresh();
}

// The point of the grid that the arrows move: of a plane or a line once it was asked for, of a
// valley along the slice.
function point(along, across) {
  const one = scan(), last = [one.size[0] - 1, (one.size[1] ?? 1) - 1];
  const [a, b] = state.probe ?? (kind() === "valley" ? [state.index, one.centre] : last.map((n) => Math.round(n / 2)));
  return pointAt([clamp(a + along, 0, last[0]), clamp(b + across, 0, last[1])]);
}
const pointing = () => (state.probe || kind() === "valley" ? pointAt(null) : point(0, 0));
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
// What an arrow means: through the steps and the height, or over the grid while that is pointed at.
function arrowed(key) {
  const [along, across] = ARROWS[key];
  if (kind() === "valley" ? across : state.probe) return point(along, across);
  return along ? goTo(state.index + along) : stretch(state.exaggeration + 0.25 * across);
}

const KEYS = {
  " ": () => play(!state.playing),
  ...Object.fromEntries(Object.keys(ARROWS).map((key) => [key, () => arrowed(key)])),
  Home: () => goTo(0), End: () => goTo(scan().steps.length - 1),
  i: pointing, d: () => changeTheme(),
  "+": () => turn(0, 0, 0.85), "=": () => turn(0, 0, 0.85), "-": () => turn(0, 0, 1 / 0.85),
  0: reset, l: () => toggle("log"), p: () => toggle("path"), c: () => toggle("contours"),
  f: () => toggle("floor"), t: () => toggle("through"), "?": help,
  r: () => next("run", chooseRun), s: () => next("scan", chooseScan),
  m: () => next("measure", chooseMeasure),
  Escape: () => { if (!$("keys").hidden) help(); else if (state.probe) pointAt(null); },
};
const TURNS = { ArrowLeft: [-8, 0], ArrowRight: [8, 0], ArrowUp: [0, 6], ArrowDown: [0, -6] };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const { target, key } = event, arrow = key in TURNS || key === "Home" || key === "End";
  // A control that has a use for the key keeps it.
  if (target.tagName === "SELECT") return;
  if (target.type === "range" && target.id !== "scrub" && arrow) return;
  if (key === " " && ["BUTTON", "SUMMARY", "INPUT"].includes(target.tagName) && target.type !== "range") return;
  const action = event.shiftKey && key in TURNS ? () => turn(...TURNS[key]) : KEYS[key] ?? KEYS[key.toLowerCase()];
  if (!action) return;
  event.preventDefault();
  if (arrow && !event.shiftKey && !["ArrowUp", "ArrowDown"].includes(key)) play(false);
  action();
});

$("run").addEventListener("change", () => chooseRun(Number($("run").value)));
$("scan").addEventListener("change", () => chooseScan(Number($("scan").value)));
$("measure").addEventListener("change", () => chooseMeasure(Number($("measure").value)));
for (const id of ["log", "path", "contours", "floor", "through"])
  $(id).addEventListener("change", () => { state[id] = $(id).checked; refresh(); });
$("exaggeration").addEventListener("input", () => stretch(Number($("exaggeration").value)));
$("reset").addEventListener("click", reset);
$("help").addEventListener("click", help);
$("play").addEventListener("click", () => play(!state.playing));
$("scrub").addEventListener("input", () => { play(false); goTo(Number($("scrub").value)); });
$("speed").addEventListener("change", () => { clock = null; });
$("curve").addEventListener("pointerdown", (event) => {
  const frame = $("curve").getBoundingClientRect(), { steps } = scan();
  if (steps.length < 2) return;
  const share = (event.clientX - frame.left - MARGIN.left) / (frame.width - MARGIN.left - MARGIN.right);
  play(false);
  goTo(steps.findLastIndex((at) => at <= Math.max(steps[0] + share * (steps.at(-1) - steps[0]), steps[0])));
});
$("theme").addEventListener("click", () => changeTheme());
const over = (event, frame) => [event.clientX - frame.left, event.clientY - frame.top];
$("valley").addEventListener("pointerdown", (event) => {
  const found = underneath(...over(event, $("valley").getBoundingClientRect()));
  if (!found) return;
  play(false);
  $("valley").setPointerCapture(event.pointerId);
  goTo(found.k);
});
$("valley").addEventListener("pointermove", (event) => {
  const found = underneath(...over(event, $("valley").getBoundingClientRect()));
  $("tip").hidden = !found || event.pointerType === "touch";
  if (!found) return;
  if (event.buttons) goTo(found.k);
  const one = scan(), at = found.b === null ? [] : [["across", written(one.y[found.b])],
    ...valuesAt(one, found.k * one.y.length + found.b)];
  showTip(`step ${whole(one.steps[found.k])}`, found.b === null ? columnFacts(found.k) : at);
  $("tip").hidden = event.pointerType === "touch";
});
$("valley").addEventListener("pointerleave", () => { $("tip").hidden = true; });
$("copy").addEventListener("click", () => navigator.clipboard.writeText(scan().caption));
$("stage").addEventListener("mousemove", (event) => {
  if (state.probe && kind() !== "valley") return;
  const box = $("stage").getBoundingClientRect(), tip = $("tip");
  const x = event.clientX - box.left, y = event.clientY - box.top;
  tip.style.left = x > box.width - 260 ? "" : `${x + 16}px`;
  tip.style.right = x > box.width - 260 ? `${box.width - x + 16}px` : "";
  tip.style.top = `${clamp(y + 14, 0, Math.max(0, box.height - 150))}px`;
});

document.documentElement.dataset.theme = dark() ? "dark" : "light";
DARK.addEventListener("change", () => changeTheme(DARK.matches ? "dark" : "light"));
let resting = null;
new ResizeObserver(() => {
  clearTimeout(resting);
  resting = setTimeout(() => { if (kind() === "valley") drawValley(); drawTimeline(); }, 60);
}).observe($("stage"));

// The page around this one shows a picture until it hears whether there is something to see here.
const tellParent = (drawn) => { if (parent !== window) parent.postMessage({ drawn }, "*"); };
choose(0).then(() => {
  document.body.dataset.ready = "yes";
  tellParent(seen());
}, (error) => { tellParent(false); throw error; });
