// The page: its views, what the side says, what is told of a place.

const picture = $("picture");
let before = null;

// Each kind of scan: how it is drawn, and drawn anew at another step.
const VIEWS = {
  plane: { draw: () => plotted([...ground(), ...walked()], sceneLayout()), walk: redrawPath,
    facts: (at) => shown().flatMap((path) => pathFacts(path, row(path, at))) },
  line: { draw: () => plotted(curveTraces(), curveLayout()), walk: () => draw(),
    facts: (at) => shown().flatMap((path) => pathFacts(path, row(path, at))) },
  valley: { draw: drawValley, walk: walkValley, facts: () => [...columnFacts(state.index), ...probeFacts()] },
};
const view = () => VIEWS[kind()];

function draw() {
  const other = before !== null && before !== kind();
  if (other && before !== "valley") Plotly.purge(picture);
  if (before !== kind()) picture.replaceChildren();
  const first = before !== kind();
  before = kind();
  picture.hidden = kind() === "valley";
  $("valley").hidden = kind() !== "valley";
  $("stage").classList.toggle("valley", kind() === "valley");
  // A valley has the curve over its own columns; the stage's size is known only then.
  $("track").classList.toggle("bare", kind() === "valley");
  const done = Promise.resolve(view().draw());
  if (first && kind() !== "valley") done.then(listen);
  $("waiting").hidden = true;
  return done;
}

function plotted(traces, layout) {
  const config = { displayModeBar: false, scrollZoom: true, responsive: true, doubleClick: false };
  state.steady = kind() === "line" ? 0 : traces.length - walked().length;
  return Plotly.react(picture, traces, layout, config);
}

// Whether a plane's picture has more than one colour: without WebGL that works it stays empty. Its
// pixels can be read only right after they were drawn.
function seen() {
  if (kind() !== "plane") return true;
  const plot = picture._fullLayout?.scene?._scene?.glplot, gl = plot?.gl;
  if (!gl || gl.isContextLost()) return false;
  plot.redraw();
  const { drawingBufferWidth: wide, drawingBufferHeight: high } = gl;
  const pixels = new Uint8Array(4 * wide * high);
  gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  gl.readPixels(0, 0, wide, high, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
  const each = new Uint32Array(pixels.buffer);
  return each.some((one) => one !== each[0]);
}

function listen() {
  picture.on("plotly_hover", (event) => tell(event.points[0]));
  picture.on("plotly_unhover", () => { $("tip").hidden = true; });
}

// Only what moves with the steps is handed over anew. Plotly's own restyle would take the surface
// with it, at a tenth of a second each; it remains for a plotly that is built in another way.
function redrawPath() {
  const parts = walked(), inner = picture._fullLayout?.scene?._scene;
  const full = parts.map((_, k) => picture._fullData[state.steady + k]);
  const live = full.map((trace) => inner?.traces?.[trace?.uid]);
  if (!live.every((trace) => trace?.update) || !inner.glplot?.redraw) return draw();
  parts.forEach((part, k) => {
    for (const into of [full[k], picture.data[state.steady + k]]) {
      Object.assign(into, { x: part.x, y: part.y, z: part.z, meta: part.meta });
      into._length = part.x.length;
      for (const kind of ["line", "marker"]) if (part[kind]) into[kind].color = part[kind].color;
    }
    if (full[k].visible) live[k].update(full[k]);
  });
  inner.glplot.redraw();
  return null;
}

function goTo(index) {
  state.index = clamp(index, 0, Math.max(0, scan().steps.length - 1));
  if (state.probe && kind() === "valley") state.probe[0] = state.index;
  moveCursor();
  readout();
  if (!state.playing) say(`step ${whole(step())}`, view().facts(step()));
  return view().walk();
}

// Said to who doesn't see it, once the keys rest.
let saying = null;
function say(name, rows) {
  clearTimeout(saying);
  $("said").setAttribute("aria-busy", "true");
  saying = setTimeout(() => {
    $("said").removeAttribute("aria-busy");
    $("said").textContent = [name, ...rows.map(([what, value]) => `${what} ${value}`)].filter(Boolean).join(", ");
  }, 120);
}

function tell(point) {
  const rows = [], { meta } = point.data;
  let name = "";
  if (meta?.path) {
    const { path } = meta, k = meta.rows[point.pointNumber];
    name = `${path.name || "path"}, step ${whole(path.step[k])}`;
    rows.push(...pathFacts(path, k), ["x", written(path.x[k], 4)]);
    if (kind() === "plane") rows.push(["y", written(path.y[k], 4)]);
  } else {
    const one = scan(), of = meta?.measure ?? measure(), at = point.pointNumber;
    rows.push(["x", written(point.x, 4)]);
    if (kind() === "plane") rows.push(["y", written(point.y, 4)]);
    if (at >= of.values.length) rows.push([of.short, written(of.high)]);
    else rows.push(...valuesAt(one, at, kind() === "line" ? [of] : one.measures));
  }
  showTip(name, rows);
}

function showTip(name, rows) {
  $("tip").replaceChildren(element("b", { textContent: name }), element("table", {}, ...rows.map(tableRow)));
  $("tip").hidden = false;
}

const tableRow = ([what, value]) => element("tr", {},
  element("td", { textContent: what }), element("td", { textContent: value }));

// Of the grid point that the keys point at what hovering says of it.
function probeFacts() {
  if (!state.probe) return [];
  const one = scan(), [a, b] = state.probe;
  if (kind() === "valley") return [["at", `${written(one.y[b])} across`],
    ...valuesAt(one, a * one.y.length + b)];
  const rows = [["x", written(one.x[a], 4)]];
  if (kind() === "plane") rows.push(["y", written(one.y[b], 4)]);
  return [...rows, ...valuesAt(one, kind() === "plane" ? a * one.y.length + b : a)];
}

function pointAt(probe) {
  state.probe = probe;
  if (kind() === "valley") readout();
  else if (probe) {
    Object.assign($("tip").style, { left: "16px", right: "", top: "56px" });
    showTip("pointed at", probeFacts());
  } else $("tip").hidden = true;
  if (probe) say("", probeFacts());
  return view().walk();
}

function pathFacts(path, k) {
  if (k < 0) return [["not begun", ""]];
  const known = (value) => (Number.isNaN(value) ? "not evaluated" : written(value, 4));
  const events = happening(path, path.step[k]);
  return [["true loss", known(path.true[k])], [`${kind()}'s loss`, known(path.plane[k])],
    [`distance from the ${kind()}`, written(path.away[k])],
    ...(events.length ? [["during", events.join(", ")]] : [])];
}

function readout() {
  const rows = [];
  if (kind() === "valley") rows.push(...view().facts(step()).map(tableRow));
  else for (const path of shown()) {
    if (scan().paths.length > 1) rows.push(element("tr", { className: "name" },
      element("td", { textContent: path.name, colSpan: 2 })));
    rows.push(...pathFacts(path, row(path)).map(tableRow));
  }
  if (!rows.length) rows.push(element("tr", {}, element("td", { textContent: "no path" })));
  $("readout").replaceChildren(...rows);
}

function bar(title, ramp, ticks) {
  const list = element("ol");
  for (const [place, text] of ticks) {
    const at = element("li", { textContent: text, className: place < 0.04 || place > 0.96 ? "edge" : "" });
    at.style.left = `${100 * place}%`;
    list.append(at);
  }
  const strip = element("div");
  strip.style.background = gradient(ramp);
  return element("div", { className: "bar" }, element("div", { textContent: title, style: "all:unset" }), strip, list);
}

function legend() {
  const one = scan(), of = measure(), path = one.paths[0], parts = [element("h2", { textContent: "Legend" })];
  const ticks = of.log ? of.ticks.log : of.ticks.linear;
  if (kind() !== "line")
    parts.push(bar(of.short, THEME.loss, ticks.map(([value, text]) => [onScale(value), text])));
  const entry = (text, colour, kind = "") => {
    const swatch = element("i", { className: kind });
    swatch.style.background = colour;
    parts.push(element("div", { className: "entry" }, swatch, text));
  };
  // By row, so that ticks aren't at equal numbers of steps.
  if (path && one.steps.length > 1) parts.push(bar("training step", THEME.step,
    [...new Set([0, 1, 2, 3].map((k) => Math.round(k / 3 * (one.steps.length - 1))))]
      .map((k) => [k / (one.steps.length - 1), whole(one.steps[k])])));
  if (path && kind() === "plane") {
    if (of.name === "train_loss") entry("path at its true loss, with drops to the plane's", gradient(THEME.step), "flat thick");
    entry("its projection onto the surface", gradient(THEME.step), "flat");
  }
  if (kind() === "valley") {
    entry("the run itself", "#fff", "flat cased");
    entry(`walls: the loss is ${one.rise.said} higher (${one.spread.walls})`, "#1a1a1a", "flat cased");
  }
  for (const point of one.points) {
    const box = element("div", { className: "entry" });
    box.innerHTML = `<svg aria-hidden="true">${mark(point.name, 8, 8, 5.5)}</svg>`;
    box.append(point.text);
    parts.push(box);
  }
  const off = one.paths.some((part) => part.faded.some(Boolean)), flat = kind() === "plane";
  if (one.points.some((point) => point.hollow) || (off && !flat))
    entry(`hollow: over 10 % off the ${flat ? "plane" : "line"}'s loss`, "#fff");
  if (off && flat)
    entry("thin and dashed: over 10 % off the plane's loss", dashed(shade(THEME.step, 0.8)), "flat");
  for (const name of new Set([one, ...one.paths].flatMap((part) => (part.events ?? []).map((event) => event.name))))
    if (name in THEME.episodes) entry(name, THEME.episodes[name], "flat");
  if (lossKind() && one.constant !== null)
    entry(`${THEME.ignoring}, ${written(one.constant)}`, look().constant, "flat");
  if (of.cap && kind() === "plane") entry(of.cap, THEME.loss.at(-1), "flat");
  if (of.cap && kind() === "valley") entry(of.cap.replace("cut at", "above"), look().beyond, "flat thick");
  const holes = new Set();
  of.values.forEach((value, at) => { const why = absent(one, at, value); if (why) holes.add(why); });
  if (holes.size) entry(`hole: ${[...holes].join(", ")}`, css("page"));
  $("legend").replaceChildren(...parts);
}

function describe() {
  const one = scan(), of = measure(), train = of.name === "train_loss";
  const aside = { plane: "The path is drawn on the surface: its true losses are training losses",
    valley: "The walls are those of the training loss" }[kind()];
  const path = !train && aside && state.path && (one.paths.length || kind() === "valley") ? aside : "";
  $("title").replaceChildren(of.title, element("small", { textContent: path || one.title }));
  $("facts").replaceChildren(element("h2", { textContent: "What this shows" }),
    ...one.facts.map((text) => element("p", { textContent: text })));
  $("caption").querySelector("p").textContent = one.caption;
  document.title = `${one.run}: ${one.name}`;
  $("log").disabled = !of.log;
  $("log").checked = of.log && state.log;
  $("height").hidden = kind() !== "plane";
  $("logs").hidden = kind() === "valley";
  $("reset").disabled = kind() === "valley";
  $("pathname").textContent = kind() === "valley" ? "Walls" : "Path";
  for (const id of ["contours", "floor", "through"]) {
    $(id).disabled = kind() !== "plane";
    $(id).parentElement.hidden = kind() === "valley";
  }
  const labels = one.paths.length < 2 ? [] : one.paths.map((part, k) => {
    const box = element("input", { type: "checkbox", checked: !state.hidden.has(k) });
    box.addEventListener("change", () => {
      if (box.checked) state.hidden.delete(k); else state.hidden.add(k);
      refresh();
    });
    return element("label", {}, box, part.name || `path ${k + 1}`);
  });
  $("paths").replaceChildren(...labels);
}

function refresh() {
  // What it says is of the picture before.
  $("tip").hidden = true;
  describe();
  legend();
  const done = draw();
  drawTimeline();
  readout();
  return done;
}
