// A plane in three dimensions: surface, floor, contour lines, paths, marked points.

const FLOOR = -0.4, TALL = 0.55;
const CENTRE = { x: 0, y: 0, z: -0.1 };
// Of half the picture: beyond are the letters.
const SIDEWAYS = 0.86, NARROWLY = 0.76, UPWARDS = 0.86;
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
  const line = { x: [], y: [], z: [], colour: [], row: [] };
  for (let k = 0; k <= last; k++) for (let part = 0; part < (k < last ? BETWEEN : 1); part++) {
    const on = part / BETWEEN, then = Math.min(k + 1, last);
    const x = path.x[k] + on * (path.x[then] - path.x[k]);
    const y = path.y[k] + on * (path.y[then] - path.y[k]);
    const z = standing(x, y);
    line.x.push(x); line.y.push(y); line.colour.push(colourAt(path, k)); line.row.push(k);
    line.z.push(Number.isFinite(z) ? z + RAISED : null);
  }
  return line;
}

const colourAt = (path, k) => shade(THEME.step, paced(path.step[k]));

// A path's line ({x, y, z, colour, row}) in two, the second having all pieces of which either end is
// over 10 % off the plane's loss. Nulls part pieces, and stand for none: plotly drops empty lines.
function parted(path, line) {
  const parts = [false, true].map(() => ({ x: [], y: [], z: [], colour: [], row: [] }));
  const put = (part, n, gap) => {
    for (const name of ["x", "y", "z"]) part[name].push(gap ? null : line[name][n]);
    for (const name of ["colour", "row"]) part[name].push(line[name][n]);
  };
  let before = null;
  for (let n = 0; n + 1 < line.row.length; n++) {
    const part = parts[path.faded[line.row[n]] || path.faded[line.row[n + 1]] ? 1 : 0];
    if (part !== before) { put(part, n, true); put(part, n); }
    put(part, n + 1);
    before = part;
  }
  for (const part of parts) if (!part.row.length) for (const name in part) part[name].push(name === "colour" ? "#000" : null);
  return parts;
}

function ground() {
  const one = scan(), { mesh, lines, edge } = surfaceMesh();
  const faces = { i: mesh.i, j: mesh.j, k: mesh.k, x: mesh.x, y: mesh.y, intensity: mesh.colour };
  const page = dark() ? [20, 22, 26] : undefined;
  const flat = (line) => line.z.map((z) => (z === null ? null : FLOOR + 0.01));
  const pale = THEME.loss.map((_, k) => paled(shade(THEME.loss, k / (THEME.loss.length - 1)), 0.5, page));
  const solid = { type: "mesh3d", cmin: 0, cmax: 1, showscale: false, hoverinfo: "none" };
  const still = { ambient: 1, diffuse: 0, specular: 0, fresnel: 0 };
  const parts = [
    { ...solid, ...faces, z: mesh.z, name: "surface", colorscale: scale3d(THEME.loss),
      opacity: state.through ? 0.55 : 1, lightposition: { x: -1e4, y: 2e4, z: 4e4 },
      lighting: { ambient: 0.62, diffuse: 0.5, specular: 0.12, roughness: 0.6, fresnel: 0.05,
        facenormalsepsilon: 0, vertexnormalsepsilon: 0 } },
    { ...LINE, ...edge, z: edge.z.map((z) => (z === null ? null : z + LIFT)),
      line: { color: dark() ? "#000" : "#2b2b2b", width: 2 } },
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
      opacity: 0.1, intensity: [0, 0, 0, 0], lighting: still,
      colorscale: [[0, look().constant], [1, look().constant]] }, { ...LINE, x: [x0, x1, x1, x0, x0],
      y: [y0, y0, y1, y1, y0], z: Array(5).fill(z - 0.008), line: { color: look().constant, width: 1.5 } });
  }
  return parts;
}

function walked() {
  const parts = [];
  for (const path of state.path ? shown() : []) {
    const { rows, x, y, z } = laid(path), last = row(path);
    const past = rows.filter((k) => k <= last).length, k = rows[past - 1];
    const colours = rows.map((at) => colourAt(path, at));
    const whole_ = track(path), upTo = (values) => values.slice(0, past);
    const own = { x: upTo(x), y: upTo(y), z: upTo(z), colour: upTo(colours), row: upTo(rows) };
    parts.push({ ...LINE, x: path.x, y: path.y, z: path.x.map(() => FLOOR + 0.014),
      line: { color: css("note"), width: 2.5 }, visible: state.floor });
    parts.push({ ...LINE, x: whole_.x, y: whole_.y, z: whole_.z,
      line: { color: "rgba(60,60,60,0.4)", width: 1.5 } });
    parted(path, track(path, last)).forEach(({ x: tx, y: ty, z: tz, colour }, off) => {
      if (!off) parts.push({ ...LINE, x: tx, y: ty, z: tz, line: { color: "#1a1a1a", width: 4.5 } });
      parts.push({ ...LINE, x: tx, y: ty, z: tz.map((at) => (at === null ? null : at + 0.003)),
        line: { color: colour, width: 2.5, dash: off ? "dash" : "solid" } });
    });
    parted(path, own).forEach((part, off) => parts.push({ ...LINE, x: part.x, y: part.y, z: part.z,
      line: { color: part.colour, width: off ? 3 : 6, dash: off ? "dash" : "solid" }, hoverinfo: "none",
      visible: measure().name === "train_loss", meta: { path, rows: part.row }, name: "path" }));
    parts.push(drops(path, rows.slice(0, past)));
    parts.push({ type: "scatter3d", mode: "markers", showlegend: false, name: "now",
      hoverinfo: "none", meta: { path, rows: [k] }, x: past ? [path.x[k]] : [null],
      y: past ? [path.y[k]] : [null], z: past ? [z[past - 1] + 0.02] : [null],
      marker: { size: 10, symbol: "circle-open", color: css("ink"), line: { color: css("ink"), width: 3 } } });
  }
  parts.push(pointed());
  return parts;
}

// The grid point that the keys point at.
function pointed() {
  const one = scan(), [a, b] = state.probe ?? [0, 0];
  const at = state.probe ? standing(one.x[a], one.y[b]) : NaN, there = Number.isFinite(at);
  return { type: "scatter3d", mode: "markers", showlegend: false, hoverinfo: "skip", name: "pointed",
    x: there ? [one.x[a]] : [null], y: there ? [one.y[b]] : [null], z: there ? [at + 0.01] : [null],
    marker: { size: 7, color: css("accent"), line: { color: "#fff", width: 2 } } };
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

// The figures' marks, over everything: a surface that hides the place doesn't hide that it is there.
function marked() {
  if (!state.path) return [];
  const one = scan(), found = new Map();
  for (const point of one.points.filter((each) => each.xy.length === 2)) {
    const loss = trueLoss(point), own = measure().name === "train_loss" && Number.isFinite(loss);
    const at = own ? height(measure(), loss) : standing(...point.xy);
    if (!Number.isFinite(at) || at > 1.04) continue;
    const home = { x: point.xy[0], y: point.xy[1], z: at + 0.012, showarrow: false };
    const colour = colourOf(point.name), fill = point.hollow ? "#fff" : colour, rim = point.hollow ? colour : "#1a1a1a";
    const sign = { ...home, text: `<span style="fill:${fill};stroke:${rim};stroke-width:${point.hollow ? 3 : 1.5}px;` +
      `paint-order:stroke">${glyph(point.name)}</span>`, font: { size: point.name === "best" ? 24 : 17 } };
    const group = found.get(point.step) ?? { names: [], signs: [], home, loss };
    group.names.push(point.name);
    // The last of several at one step, as in figures: the end rather than the best.
    group.signs = [sign];
    found.set(point.step, group);
  }
  const groups = [...found.values()], free = apart(groups);
  return groups.flatMap(({ names, signs, home, loss }, k) => [...signs, { ...labelled(names, home, loss), ...free[k] }]);
}

const called = (names, loss) => names.join(" and ") + (Number.isFinite(loss) ? ` ${written(loss)}` : "");

// Where labels stand in the first view so that none covers another or a mark; nothing of one
// that has no such place.
function apart(groups) {
  const wide = picture.clientWidth, high = picture.clientHeight;
  const at = groups.map(({ home }) => projected(home));
  const labels = groups.map(({ names, loss }, k) => ({ x: at[k][0], y: at[k][1], text: called(names, loss), of: k }));
  const marks = at.flatMap(([x, y]) => [-7, 0, 7].flatMap((a) => [-7, 0, 7].map((b) => [x + a, y + b])));
  const found = groups.map(() => ({}));
  for (const { left, base, of } of placed(labels, marks, [0, 0, wide, high]))
    found[of] = { xanchor: "left", yanchor: "bottom", xshift: left - at[of][0], yshift: at[of][1] - base - 4 };
  return found;
}

// A place in pixels of the first view.
function projected({ x, y, z }) {
  const one = scan(), size = sceneAspect(), floor = state.floor ? FLOOR - 0.02 : -0.02;
  const share = (low, high, value) => (value - low) / (high - low) - 0.5;
  const from = eye(), away = [from.x - CENTRE.x, from.y - CENTRE.y, from.z - CENTRE.z], far = Math.hypot(...away);
  const [a, b, c] = away.map((part) => part / far), flat = Math.hypot(a, b);
  const point = [size.x * share(one.x[0], one.x.at(-1), x), size.y * share(one.y[0], one.y.at(-1), y),
    size.z * share(floor, 1.04, z) - CENTRE.z];
  const dot = (axis) => axis.reduce((sum, part, k) => sum + part * point[k], 0);
  const deep = Math.tan(Math.PI / 8) * (far - dot([a, b, c])), half = picture.clientHeight / 2;
  return [picture.clientWidth / 2 + half * dot([-b / flat, a / flat, 0]) / deep,
    half - half * dot([-a * c / flat, -b * c / flat, flat]) / deep];
}

// One label for all names of a step, towards the middle of the first view.
function labelled(names, home, loss) {
  const { x, y } = sceneAspect(), { x: ex, y: ey } = eye(), one = scan();
  const inBox = (grid, at, wide) => ((at - grid[0]) / (grid.at(-1) - grid[0]) - 0.5) * wide;
  // Along the picture's width: the eye looks along (−ex, −ey).
  const rightwards = ex * inBox(one.y, home.y, y) - ey * inBox(one.x, home.x, x);
  const up = names.at(-1) !== "end", left = rightwards > 0;
  return { ...home, text: called(names, loss),
    xanchor: left ? "right" : "left", xshift: left ? -9 : 9, yanchor: up ? "bottom" : "top", yshift: up ? 4 : -4,
    bgcolor: dark() ? "rgba(20,22,26,0.7)" : "rgba(255,255,255,0.7)", borderpad: 1,
    font: { size: 12, color: css("ink") } };
}

// A marked point's own loss, where a path goes through it.
function trueLoss(point) {
  const near = (a, b) => Math.abs(a - b) < 1e-6 * (1 + Math.abs(b));
  for (const path of scan().paths) {
    const k = path.step.indexOf(point.step);
    if (k >= 0 && near(path.x[k], point.xy[0]) && near(path.y[k], point.xy[1])) return path.true[k];
  }
  return NaN;
}

// Where the figures look from, for there the path is seen best, as near as the box fits in.
const eye = () => {
  const [x, y, z] = scan().eye, far = distance([x, y, z]);
  return { x: CENTRE.x + far * x, y: CENTRE.y + far * y, z: CENTRE.z + far * z };
};

// The smallest distance at which all corners of the box, with room for letters, are in the picture.
function distance(towards) {
  const { x, y, z } = sceneAspect(), wide = picture.clientWidth / picture.clientHeight;
  const flat = Math.hypot(towards[0], towards[1]), dot = (a, b) => a.reduce((sum, part, k) => sum + part * b[k], 0);
  const right = [-towards[1] / flat, towards[0] / flat, 0];
  const up = [-towards[0] * towards[2] / flat, -towards[1] * towards[2] / flat, flat];
  const corners = [0, 1, 2, 3, 4, 5, 6, 7].map((k) => [(k & 1 ? x : -x) / 2, (k & 2 ? y : -y) / 2,
    (k & 4 ? z : -z) / 2 - CENTRE.z]);
  const half = Math.tan(Math.PI / 8);
  for (let far = 1.2; far < 8; far += 0.05) if (corners.every((corner) => {
    const deep = half * (far - dot(corner, towards));
    return deep > 0 && Math.abs(dot(corner, right)) < (narrow() ? NARROWLY : SIDEWAYS) * deep * wide && Math.abs(dot(corner, up)) < UPWARDS * deep;
  })) return far;
  return 8;
}

const narrow = () => picture.clientWidth < 560;

function sceneAspect() {
  const share = scan().aspect, longer = Math.max(1, share), up = TALL * (state.floor ? 1 - FLOOR : 1);
  return { x: 1.25 / longer, y: 1.25 * share / longer, z: 1.25 * up * state.exaggeration };
}

function sceneLayout() {
  const one = scan(), of = measure();
  const log = of.log && state.log, ticks = ticksOf(of);
  const quiet = { showspikes: false, showbackground: false, gridcolor: css("line"), zeroline: false,
    linecolor: css("axis"), tickfont: { size: 11 }, tickcolor: css("axis"), title: { font: { size: 12 } } };
  const axis = (k, grid) => ({ ...quiet, range: [grid[0], grid.at(-1)], nticks: 6,
    title: { text: one.labels[k].split(",")[0], font: { size: narrow() ? 10 : 12 } } });
  return {
    margin: { l: 0, r: 0, t: 0, b: 0 }, showlegend: false, uirevision: state.at,
    paper_bgcolor: css("page"), font: { family: "system-ui, sans-serif", color: css("ink") },
    scene: {
      uirevision: state.at, annotations: marked(), dragmode: "turntable", hovermode: "closest",
      camera: { eye: eye(), center: CENTRE, up: { x: 0, y: 0, z: 1 } },
      aspectmode: "manual", aspectratio: sceneAspect(),
      xaxis: axis(0, one.x), yaxis: axis(1, one.y),
      zaxis: { ...quiet, range: [state.floor ? FLOOR - 0.02 : -0.02, 1.04], tickvals: ticks.map(([value]) => height(of, value)),
        ticktext: ticks.map(([, text]) => text),
        title: { text: narrow() ? "" : of.short + (of.log ? (log ? " (log)" : " (linear)") : ""), font: { size: 12 } } },
    },
  };
}
