// A plane in three dimensions: surface, floor, contour lines, paths, marked points.

const FLOOR = -0.4, TALL = 0.55;
const CENTRE = { x: 0, y: 0, z: -0.1 };
const FAR = 2.6;
// How far lines and paths stand off the surface, so that it doesn't swallow them.
const LIFT = 0.009, RAISED = 0.014, BETWEEN = 6;
const LINE = { type: "scatter3d", mode: "lines", hoverinfo: "skip", showlegend: false };
let built = null;

function surfaceMesh() {
  const one = scan(), of = measure();
  const key = [state.at, state.measure, state.log].join();
  if (built?.key === key) return built;
  const heights = Array.from(of.values, (value) => height(of, value));
  const colours = Array.from(of.values, onScale);
  const mesh = cutAtTop(triangulate(one.x, one.y, heights, colours));
  const levels = of.levels.map((level) => height(of, level));
  const span = (grid) => grid.at(-1) - grid[0], longer = Math.max(1, one.aspect);
  const unit = [1 / longer / span(one.x), one.aspect / longer / span(one.y), TALL];
  built = { key, heights, mesh, lines: contourLines(mesh, levels, unit), edge: rim(mesh) };
  return built;
}

// Bilinear height of the drawn surface; NaN beside a hole, outside and above the cut.
function standing(x, y) {
  const one = scan(), heights = surfaceMesh().heights, ny = one.y.length;
  const cell = (grid, value) => {
    let at = 0;
    while (at < grid.length - 2 && grid[at + 1] <= value) at++;
    return [at, (value - grid[at]) / (grid[at + 1] - grid[at])];
  };
  const [a, u] = cell(one.x, x), [b, v] = cell(one.y, y);
  if (u < -1e-6 || u > 1 + 1e-6 || v < -1e-6 || v > 1 + 1e-6) return NaN;
  const [p, q, r, s] = [heights[a * ny + b], heights[(a + 1) * ny + b],
    heights[(a + 1) * ny + b + 1], heights[a * ny + b + 1]];
  const found = (1 - u) * ((1 - v) * p + v * s) + u * ((1 - v) * q + v * r);
  return found <= 1 ? found : NaN;
}

// Rows of a path with a place in the picture. Training loss: at the true losses that are known;
// other measures weren't recorded in the same way: on the surface.
function laid(path) {
  const true_ = measure().name === "train_loss";
  const rows = [], z = [];
  path.step.forEach((_, k) => {
    const at = true_ ? height(measure(), path.true[k]) : standing(path.x[k], path.y[k]);
    if (Number.isFinite(at) || !true_) { rows.push(k); z.push(at + RAISED); }
  });
  return { rows, z, x: rows.map((k) => path.x[k]), y: rows.map((k) => path.y[k]) };
}

// Every row's place on the surface, with points between them so that it follows the relief.
function track(path, last = path.step.length - 1) {
  const line = { x: [], y: [], z: [], colour: [] };
  for (let k = 0; k <= last; k++) for (let part = 0; part < (k < last ? BETWEEN : 1); part++) {
    const on = part / BETWEEN, then = Math.min(k + 1, last);
    const x = path.x[k] + on * (path.x[then] - path.x[k]);
    const y = path.y[k] + on * (path.y[then] - path.y[k]);
    const z = standing(x, y);
    line.x.push(x); line.y.push(y); line.colour.push(colourAt(path, k));
    line.z.push(Number.isFinite(z) ? z + RAISED : null);
  }
  return line;
}

const colourAt = (path, k) => {
  const colour = shade(THEME.step, when(path.step[k]));
  return path.faded[k] ? paled(colour, THEME.faded) : colour;
};

function ground() {
  const one = scan(), { mesh, lines, edge } = surfaceMesh();
  const faces = { i: mesh.i, j: mesh.j, k: mesh.k, x: mesh.x, y: mesh.y, intensity: mesh.colour };
  const flat = (line) => line.z.map((z) => (z === null ? null : FLOOR + 0.01));
  const pale = THEME.loss.map((_, k) => paled(shade(THEME.loss, k / (THEME.loss.length - 1)), 0.5));
  const solid = { type: "mesh3d", cmin: 0, cmax: 1, showscale: false, hoverinfo: "none" };
  const still = { ambient: 1, diffuse: 0, specular: 0, fresnel: 0 };
  const parts = [
    { ...solid, ...faces, z: mesh.z, name: "surface", colorscale: scale3d(THEME.loss),
      opacity: state.through ? 0.55 : 1, lightposition: { x: -1e4, y: 2e4, z: 4e4 },
      lighting: { ambient: 0.62, diffuse: 0.5, specular: 0.12, roughness: 0.6, fresnel: 0.05,
        facenormalsepsilon: 0, vertexnormalsepsilon: 0 } },
    { ...LINE, ...edge, z: edge.z.map((z) => (z === null ? null : z + LIFT)),
      line: { color: "#2b2b2b", width: 2 } },
  ];
  // One copy a side: the outer faces show them as well.
  if (state.contours) for (const lift of state.through ? [0] : [LIFT, -LIFT])
    parts.push({ ...LINE, ...lifted(lines, lift), line: { color: "rgba(20,20,20,0.75)", width: 1.6 } });
  if (state.floor) {
    parts.push({ ...solid, ...faces, z: mesh.x.map(() => FLOOR), hoverinfo: "skip",
      colorscale: scale3d(pale), lighting: still });
    if (state.contours) parts.push({ ...LINE, x: lines.x, y: lines.y, z: flat(lines),
      line: { color: "rgba(60,60,60,0.45)", width: 1 } });
  }
  if (lossKind() && one.constant !== null) {
    const z = height(measure(), one.constant), [x0, x1] = [one.x[0], one.x.at(-1)];
    const [y0, y1] = [one.y[0], one.y.at(-1)];
    // A little lower: a plateau at this loss would flicker.
    if (z > 0 && z < 1) parts.push({ ...solid, hoverinfo: "skip", x: [x0, x1, x1, x0],
      y: [y0, y0, y1, y1], z: Array(4).fill(z - 0.008), i: [0, 0], j: [1, 2], k: [2, 3],
      opacity: 0.2, intensity: [0, 0, 0, 0], lighting: still,
      colorscale: [[0, THEME.constant], [1, THEME.constant]] });
  }
  return parts;
}

function walked() {
  const parts = [];
  for (const path of state.path ? shown() : []) {
    const { rows, x, y, z } = laid(path), last = row(path);
    const past = rows.filter((k) => k <= last).length, k = rows[past - 1];
    const colours = rows.map((at) => colourAt(path, at));
    const whole_ = track(path), gone = track(path, last), { colour, ...line } = gone;
    parts.push({ ...LINE, x: path.x, y: path.y, z: path.x.map(() => FLOOR + 0.014),
      line: { color: "#333", width: 2.5 }, visible: state.floor });
    parts.push({ ...LINE, x: whole_.x, y: whole_.y, z: whole_.z,
      line: { color: "rgba(60,60,60,0.4)", width: 1.5 } });
    parts.push({ ...LINE, ...line, line: { color: "#1a1a1a", width: 4.5 } });
    parts.push({ ...LINE, ...line, z: line.z.map((at) => (at === null ? null : at + 0.003)),
      line: { color: colour, width: 2.5 } });
    parts.push({ ...LINE, x: x.slice(0, past), y: y.slice(0, past), z: z.slice(0, past),
      line: { color: colours.slice(0, past), width: 8 }, hoverinfo: "none",
      visible: measure().name === "train_loss", meta: { path, rows }, name: "path" });
    parts.push(drops(path, rows.slice(0, past)));
    parts.push({ type: "scatter3d", mode: "markers", showlegend: false, name: "now",
      hoverinfo: "none", meta: { path, rows: [k] }, x: past ? [path.x[k]] : [null],
      y: past ? [path.y[k]] : [null], z: past ? [z[past - 1] + 0.02] : [null],
      marker: { size: 8, color: past ? colours[past - 1] : "#fff", line: { color: "#111", width: 2 } } });
  }
  return parts;
}

// From a dozen points at their true loss down or up to the plane's loss there.
function drops(path, rows) {
  const line = { x: [], y: [], z: [] }, every = Math.max(1, Math.ceil(rows.length / 14));
  for (let n = 0; n < rows.length && measure().name === "train_loss"; n += every) {
    const k = rows[n], foot = height(measure(), path.plane[k]);
    if (!Number.isFinite(foot)) continue;
    line.x.push(path.x[k], path.x[k], null); line.y.push(path.y[k], path.y[k], null);
    line.z.push(height(measure(), path.true[k]), Math.min(foot, 1), null);
  }
  return { ...LINE, ...line, line: { color: "#222", width: 1.5 } };
}

function marked() {
  const looks = { start: "circle", end: "square", best: "diamond" };
  const points = scan().points.filter((point) => state.path && point.xy.length === 2);
  const places = points.map((point) => {
    const true_ = scan().paths.map((path) => {
      const k = path.step.indexOf(point.step);
      return k >= 0 && Math.abs(path.x[k] - point.xy[0]) + Math.abs(path.y[k] - point.xy[1]) < 1e-6 *
        (1 + Math.abs(point.xy[0]) + Math.abs(point.xy[1])) ? height(measure(), path.true[k]) : NaN;
    }).find(Number.isFinite);
    return measure().name === "train_loss" && true_ !== undefined ? true_ : standing(...point.xy);
  });
  const held = points.map((_, k) => k).filter((k) => Number.isFinite(places[k]));
  return { type: "scatter3d", mode: "markers+text", showlegend: false, hoverinfo: "none",
    name: "marks", meta: { points: held.map((k) => points[k]) },
    x: held.map((k) => points[k].xy[0]), y: held.map((k) => points[k].xy[1]),
    z: held.map((k) => places[k] + 0.012), text: held.map((k) => points[k].name),
    textposition: "top center", textfont: { size: 13, color: "#111" },
    marker: { size: 6, symbol: held.map((k) => looks[points[k].name] ?? "diamond"),
      color: held.map((k) => THEME.marks[points[k].name] ?? THEME.other),
      line: { color: "#fff", width: 1.5 } } };
}

// Where the figures look from: there the path is seen best.
const eye = () => {
  const [x, y, z] = scan().eye;
  return { x: CENTRE.x + FAR * x, y: CENTRE.y + FAR * y, z: CENTRE.z + FAR * z };
};

function sceneLayout() {
  const one = scan(), of = measure(), share = one.aspect, longer = Math.max(1, share);
  const log = of.log && state.log, ticks = log ? of.ticks.log : of.ticks.linear;
  const quiet = { showspikes: false, backgroundcolor: "#fff", showbackground: false,
    gridcolor: "#d5d8dd", zeroline: false, linecolor: "#9aa0a8", tickfont: { size: 11 },
    tickcolor: "#9aa0a8", title: { font: { size: 12 } } };
  const axis = (k, grid) => ({ ...quiet, range: [grid[0], grid.at(-1)], nticks: 6,
    title: { text: one.labels[k].split(",")[0], font: { size: 12 } } });
  return {
    margin: { l: 0, r: 0, t: 0, b: 0 }, showlegend: false, uirevision: state.at,
    paper_bgcolor: "#fff", font: { family: "system-ui, sans-serif", color: "#1a1a1a" },
    scene: {
      uirevision: state.at, dragmode: "turntable", hovermode: "closest",
      camera: { eye: eye(), center: CENTRE, up: { x: 0, y: 0, z: 1 } },
      aspectmode: "manual", aspectratio: aspect(),
      xaxis: axis(0, one.x), yaxis: axis(1, one.y),
      zaxis: { ...quiet, range: [state.floor ? FLOOR - 0.02 : -0.02, 1.04], tickvals: ticks.map(([value]) => height(of, value)),
        ticktext: ticks.map(([, text]) => text),
        title: { text: of.short + (of.log ? (log ? " (log)" : " (linear)") : ""), font: { size: 12 } } },
    },
  };

  function aspect() {
    const up = TALL * (state.floor ? 1 - FLOOR : 1);
    return { x: 1.25 / longer, y: 1.25 * share / longer, z: 1.25 * up * state.exaggeration };
  }
}
