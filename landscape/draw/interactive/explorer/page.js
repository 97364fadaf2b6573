// The page: controls, what the side says, keys.

const picture = $("picture");
let before = null;

function draw() {
  const one = scan();
  const [traces, layout] = one.line ? [curveTraces(), curveLayout()]
    : [[...ground(), marked(), ...walked()], sceneLayout()];
  const config = { displayModeBar: false, scrollZoom: true, responsive: true, doubleClick: false };
  const kind = one.line ? "line" : "plane";
  if (before !== null && before !== kind) Plotly.purge(picture);
  if (before !== kind) picture.replaceChildren();
  const first = before !== kind;
  before = kind;
  state.steady = one.line ? 0 : traces.length - walked().length;
  const done = Plotly.react(picture, traces, layout, config);
  if (first) done.then(listen);
  $("waiting").hidden = true;
  return done;
}

function listen() {
  picture.on("plotly_hover", (event) => tell(event.points[0]));
  picture.on("plotly_unhover", () => { $("tip").hidden = true; });
}

// Only what moves with the steps is handed over anew. Plotly's own restyle would take the surface
// with it, at a tenth of a second each; it remains for a plotly that is built in another way.
function redrawPath() {
  if (scan().line) return draw();
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
  moveCursor();
  readout();
  return redrawPath();
}

function tell(point) {
  const rows = [], { meta } = point.data;
  let name = "";
  if (meta?.points) {
    name = meta.points[point.pointNumber].text;
    meta.points[point.pointNumber].xy.forEach((at, k) => rows.push(["xy"[k], written(at, 4)]));
  } else if (meta?.path) {
    const { path } = meta, k = meta.rows[point.pointNumber];
    name = `${path.name || "path"}, step ${whole(path.step[k])}`;
    rows.push(...facts(path, k), ["x", written(path.x[k], 4)]);
    if (!scan().line) rows.push(["y", written(path.y[k], 4)]);
  } else {
    const one = scan(), of = meta?.measure ?? measure(), at = point.pointNumber;
    const wide = one.size[1] ?? 1, whole_ = at < of.values.length;
    rows.push(["x", written(point.x, 4)]);
    if (!one.line) rows.push(["y", written(point.y, 4)]);
    if (!whole_) rows.push([of.short, written(of.high)]);
    else for (const each of one.line ? [of] : one.measures) {
      const value = each.values[one.line ? at : Math.floor(at / wide) * wide + at % wide];
      rows.push([each.short, absent(one, at, value) || written(value, 4) + doubt(one, each, at)]);
    }
  }
  const table = rows.map(([what, value]) => element("tr", {},
    element("td", { textContent: what }), element("td", { textContent: value })));
  $("tip").replaceChildren(element("b", { textContent: name }), element("table", {}, ...table));
  $("tip").hidden = false;
}

function facts(path, k) {
  const known = (value) => (Number.isNaN(value) ? "not evaluated" : written(value, 4));
  const where = scan().line ? "line" : "plane", events = happening(path, path.step[k]);
  return [["true loss", known(path.true[k])], [`${where}'s loss`, known(path.plane[k])],
    [`distance from the ${where}`, written(path.away[k])],
    ...(events.length ? [["during", events.join(", ")]] : [])];
}

function readout() {
  const rows = [];
  for (const path of shown()) {
    if (scan().paths.length > 1) rows.push(element("tr", { className: "name" },
      element("td", { textContent: path.name, colSpan: 2 })));
    const k = row(path);
    for (const [what, value] of k < 0 ? [["not begun", ""]] : facts(path, k)) rows.push(
      element("tr", {}, element("td", { textContent: what }), element("td", { textContent: value })));
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
  const one = scan(), of = measure(), ticks = of.log ? of.ticks.log : of.ticks.linear;
  const parts = [element("h2", { textContent: "Legend" })];
  if (!one.line)
    parts.push(bar(of.short, THEME.loss, ticks.map(([value, text]) => [onScale(value), text])));
  const entry = (text, colour, kind = "") => {
    const swatch = element("i", { className: kind });
    swatch.style.background = colour;
    parts.push(element("div", { className: "entry" }, swatch, text));
  };
  if (one.paths.length && one.steps.length > 1) parts.push(bar("training step", THEME.step,
    [[0, whole(one.steps[0])], [1, whole(one.steps.at(-1))]]));
  if (one.paths.length && !one.line) {
    if (of.name === "train_loss") entry("path at its true loss, with drops to the plane's", gradient(THEME.step), "flat thick");
    entry("its projection onto the surface", gradient(THEME.step), "flat");
  }
  for (const point of one.points) entry(point.text, THEME.marks[point.name] ?? THEME.other,
    { start: "round", best: "diamond" }[point.name] ?? "");
  if (one.paths.some((path) => path.faded.some(Boolean)))
    entry("pale: over 10 % off the plane's loss", paled(shade(THEME.step, 0.6), THEME.faded), "flat");
  for (const name of new Set(one.paths.flatMap((path) => path.events.map((event) => event.name))))
    entry(name, THEME.episodes[name], "flat");
  if (lossKind() && one.constant !== null)
    entry(`best constant output, ${written(one.constant)}`, THEME.constant, "flat");
  if (of.cap && !one.line) entry(of.cap, THEME.loss.at(-1), "flat");
  const holes = new Set();
  of.values.forEach((value, at) => { const why = absent(one, at, value); if (why) holes.add(why); });
  if (holes.size) entry(`hole: ${[...holes].join(", ")}`, "#fff");
  $("legend").replaceChildren(...parts);
}

function describe() {
  const one = scan(), of = measure();
  const path = one.paths.length && measure().name !== "train_loss" && !one.line && state.path
    ? "The path is drawn on the surface: its true losses are training losses" : "";
  $("title").replaceChildren(of.title, element("small", { textContent: path || one.title }));
  $("facts").replaceChildren(element("h2", { textContent: "What this shows" }),
    ...one.facts.map((text) => element("p", { textContent: text })));
  $("caption").querySelector("p").textContent = one.caption;
  document.title = `${one.run}: ${one.name}`;
  $("log").disabled = !of.log;
  $("log").checked = of.log && state.log;
  $("height").hidden = one.line;
  for (const id of ["contours", "floor", "through"]) $(id).disabled = one.line;
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
  drawTimeline();
  readout();
  return draw();
}
