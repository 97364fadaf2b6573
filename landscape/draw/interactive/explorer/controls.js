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
  const one = scan(), same = one.measures.findIndex((of) => of.name === name);
  state.measure = Math.max(0, same);
  state.index = Math.max(0, one.steps.length - 1);
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
  return scan().line ? null : Plotly.relayout(picture, {
    "scene.aspectratio": sceneLayout().scene.aspectratio });
}

const toggle = (id) => { if (!$(id).disabled) $(id).click(); };
const camera = () => picture._fullLayout.scene._scene.getCamera();
const look = (eye, center) => Plotly.relayout(picture, {
  "scene.camera": { eye, center, up: { x: 0, y: 0, z: 1 } } });

// Degrees around the vertical, degrees up, and a factor of the distance.
function turn(around, up, nearer = 1) {
  if (scan().line) return null;
  const { eye, center } = camera();
  const off = ["x", "y", "z"].map((axis) => eye[axis] - center[axis]);
  const far = Math.hypot(...off) * nearer, radians = Math.PI / 180;
  const azimuth = Math.atan2(off[1], off[0]) + around * radians;
  const steep = clamp(Math.asin(off[2] / Math.hypot(...off)) + up * radians, -1.5, 1.5);
  const flat = far * Math.cos(steep);
  return look({ x: center.x + flat * Math.cos(azimuth), y: center.y + flat * Math.sin(azimuth),
    z: center.z + far * Math.sin(steep) }, center);
}

function reset() {
  stretch(1);
  if (!scan().line) return look(eye(), CENTRE);
  const { xaxis, yaxis } = curveLayout();
  return Plotly.relayout(picture, { "xaxis.range": xaxis.range, "yaxis.range": yaxis.range });
}

function help() {
  const hidden = !$("keys").hidden;
  $("keys").hidden = hidden;
  $("help").setAttribute("aria-expanded", String(!hidden));
}

const KEYS = {
  " ": () => play(!state.playing),
  ArrowLeft: () => goTo(state.index - 1), ArrowRight: () => goTo(state.index + 1),
  Home: () => goTo(0), End: () => goTo(scan().steps.length - 1),
  ArrowUp: () => stretch(state.exaggeration + 0.25), ArrowDown: () => stretch(state.exaggeration - 0.25),
  "+": () => turn(0, 0, 0.85), "=": () => turn(0, 0, 0.85), "-": () => turn(0, 0, 1 / 0.85),
  0: reset, l: () => toggle("log"), p: () => toggle("path"), c: () => toggle("contours"),
  f: () => toggle("floor"), t: () => toggle("through"), "?": help,
  r: () => next("run", chooseRun), s: () => next("scan", chooseScan),
  m: () => next("measure", chooseMeasure),
  Escape: () => { if (!$("keys").hidden) help(); },
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
  const box = $("curve").getBoundingClientRect(), { steps } = scan();
  if (steps.length < 2) return;
  const wanted = steps[0] + (event.clientX - box.left) / box.width * (steps.at(-1) - steps[0]);
  play(false);
  goTo(steps.findLastIndex((at) => at <= Math.max(wanted, steps[0])));
});
$("copy").addEventListener("click", () => navigator.clipboard.writeText(scan().caption));
$("stage").addEventListener("mousemove", (event) => {
  const box = $("stage").getBoundingClientRect(), tip = $("tip");
  const x = event.clientX - box.left, y = event.clientY - box.top;
  tip.style.left = x > box.width - 260 ? "" : `${x + 16}px`;
  tip.style.right = x > box.width - 260 ? `${box.width - x + 16}px` : "";
  tip.style.top = `${clamp(y + 14, 0, Math.max(0, box.height - 150))}px`;
});

choose(0).then(() => { document.body.dataset.ready = "yes"; });
