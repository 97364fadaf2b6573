// A valley: the run's loss above, its columns, flat from side to side, and the slice at this step
// beside them. Places along the path are counted in columns.

const BEYOND = 0.06, HEAD = 0.2, FOOT = 0.2;
let room = null;

// Where everything stands, in pixels of the stage.
function arrange() {
  const one = scan(), stage = $("valley").getBoundingClientRect();
  const wide = Math.max(280, stage.width), high = Math.max(320, stage.height), narrow = wide < 640;
  const left = 58, right = 14, top = narrow ? 52 : 54, foot = 40;
  const side = narrow ? 0 : clamp(0.24 * wide, 170, 300), strip = one.critical.some(Number.isFinite);
  const under = narrow ? 178 : 0, inner = high - top - foot - under - 20;
  const parts = strip ? [0.28, 0.54, 0.18] : [0.32, 0.68, 0];
  const [loss, slices, sharp] = parts.map((share) => share * inner);
  const x1 = wide - right - (narrow ? 0 : side + 62);
  room = { wide, high, narrow, x0: left, x1, y: one.y, far: Math.max(-one.y[0], one.y.at(-1)),
    loss: [top, top + loss], slices: [top + loss + 8, top + loss + 8 + slices],
    sharp: strip ? [top + loss + slices + 16, top + loss + slices + 16 + sharp] : null };
  room.floor = (room.sharp ?? room.slices)[1];
  room.beside = narrow
    ? { x: [left, wide - right], y: [high - under + 34, high - 42] }
    : { x: [wide - right - side, wide - right], y: room.slices };
  return room;
}

const alongX = (at) => room.x0 + at / scan().wide * (room.x1 - room.x0);
const acrossY = (y) => (room.slices[0] + room.slices[1]) / 2 - y / room.far * (room.slices[1] - room.slices[0]) / 2;
const column = (k) => [alongX(scan().left[k]), alongX(scan().left[k] + 1)];

// The loss curve's axis: that of the colours, and as much higher as the run went.
function upright() {
  const one = scan(), of = one.measures[0], top = Math.max(1, ...Array.from(one.own.loss).filter(Number.isFinite)
    .map((value) => position(of, value)));
  const [y0, y1] = room.loss, span = top * (1 + HEAD + FOOT);
  return (value) => y1 - (position(of, value) + top * FOOT) / span * (y1 - y0);
}

// Slopes of Fritsch and Butland's monotone cubic, as the figures' columns have them.
function slopes(x, y) {
  const n = x.length, h = x.slice(1).map((at, k) => at - x[k]), d = h.map((step, k) => (y[k + 1] - y[k]) / step);
  if (n < 2) return [0];
  if (n === 2) return [d[0], d[0]];
  const found = Array(n).fill(0);
  for (let k = 1; k < n - 1; k++) if (d[k - 1] * d[k] > 0) {
    const a = 2 * h[k] + h[k - 1], b = h[k] + 2 * h[k - 1];
    found[k] = (a + b) / (a / d[k - 1] + b / d[k]);
  }
  const end = (h0, h1, d0, d1) => {
    const slope = ((2 * h0 + h1) * d0 - h0 * d1) / (h0 + h1);
    if (Math.sign(slope) !== Math.sign(d0)) return 0;
    return Math.sign(d0) !== Math.sign(d1) && Math.abs(slope) > 3 * Math.abs(d0) ? 3 * d0 : slope;
  };
  found[0] = end(h[0], h[1], d[0], d[1]);
  found[n - 1] = end(h[n - 2], h[n - 3], d[n - 2], d[n - 3]);
  return found;
}

// Positions on the scale along a column at some coordinates across; NaN beside what isn't known.
function smooth(of, k, wanted) {
  const { y } = scan(), ny = y.length;
  const all = y.map((_, b) => position(of, of.values[k * ny + b]));
  const known = y.map((_, b) => b).filter((b) => Number.isFinite(all[b]));
  const x = known.map((b) => y[b]), p = known.map((b) => all[b]), m = slopes(x, p);
  return wanted.map((at) => {
    let near = 0;
    for (let b = 1; b < ny; b++) if (Math.abs(y[b] - at) < Math.abs(y[near] - at)) near = b;
    if (!Number.isFinite(all[near])) return { value: NaN, near };
    if (x.length < 2) return { value: p[0], near };
    let c = 0;
    while (c < x.length - 2 && x[c + 1] < at) c++;
    const h = x[c + 1] - x[c], t = (at - x[c]) / h;
    const value = (1 + 2 * t) * (1 - t) ** 2 * p[c] + t * (1 - t) ** 2 * h * m[c] +
      t * t * (3 - 2 * t) * p[c + 1] + t * t * (t - 1) * h * m[c + 1];
    return { value, near };
  });
}

function paint(canvas) {
  const one = scan(), of = measure(), [y0, y1] = room.slices, ratio = devicePixelRatio || 1;
  canvas.style.left = `${room.x0}px`;
  canvas.style.top = `${y0}px`;
  canvas.style.width = `${room.x1 - room.x0}px`;
  canvas.style.height = `${y1 - y0}px`;
  canvas.width = Math.round((room.x1 - room.x0) * ratio);
  canvas.height = Math.round((y1 - y0) * ratio);
  const pen = canvas.getContext("2d"), rows = canvas.height;
  const wanted = Array.from({ length: rows }, (_, n) => room.far * (1 - 2 * (n + 0.5) / rows));
  const ny = one.y.length, [low, high] = [one.y[0], one.y.at(-1)];
  for (let k = 0; k < one.left.length; k++) {
    const from = Math.round(one.left[k] / one.wide * canvas.width) + 1;
    const to = Math.round((one.left[k] + 1) / one.wide * canvas.width);
    smooth(of, k, wanted).forEach(({ value, near }, n) => {
      if (wanted[n] < low - 1e-9 || wanted[n] > high + 1e-9) return;
      pen.fillStyle = columnColour(one, of, k * ny + near, value);
      pen.fillRect(from, n, Math.max(1, to - from), 1);
    });
  }
}

function columnColour(one, of, at, value) {
  if (Number.isFinite(value)) return value > 1 + 1e-9 ? look().beyond : shade(THEME.loss, value);
  const why = absent(one, at, of.values[at]);
  return why === "infinite" ? look().beyond : why === "not measured" ? "transparent" : THEME.nan;
}

function drawValley() {
  arrange();
  paint($("columns"));
  const svg = $("slices");
  svg.setAttribute("viewBox", `0 0 ${room.wide} ${room.high}`);
  svg.innerHTML = `${ownLoss()}${frames()}${sharpness()}${columnRuler()}<g id="moving"></g>`;
  walkValley();
}

const box = ([x0, x1], [y0, y1], kind = "frame") =>
  `<rect class="${kind}" x="${x0}" y="${y0}" width="${x1 - x0}" height="${y1 - y0}"/>`;

// The run's own loss over the columns, what happened, and where it starts, is best and ends.
function ownLoss() {
  const one = scan(), of = one.measures[0], up = upright(), [y0, y1] = room.loss;
  let out = "";
  const named = new Map();
  for (const [name, left, right] of one.stretches) {
    out += `<rect x="${alongX(left)}" y="${y0}" width="${alongX(right) - alongX(left)}" height="${y1 - y0}" ` +
      `fill="${THEME.episodes[name]}" opacity="${look().band}"/>`;
    const before = named.get(name);
    if (!before || right - left > before[1] - before[0]) named.set(name, [left, right]);
  }
  // The colours are the axis: a bar of them beside it.
  const [low, high] = [up(of.low), Math.max(y0, up(of.high))];
  out += `<rect x="${room.x0 - 7}" y="${y0}" width="5" height="${Math.max(0, high - y0)}" fill="${look().beyond}"/>` +
    `<rect x="${room.x0 - 7}" y="${low}" width="5" height="${y1 - low}" fill="${THEME.loss[0]}"/>`;
  const steps = 48;
  for (let n = 0; n < steps; n++) out += `<rect x="${room.x0 - 7}" y="${high + (low - high) * n / steps}" width="5" ` +
    `height="${(low - high) / steps + 0.6}" fill="${shade(THEME.loss, 1 - (n + 0.5) / steps)}"/>`;
  const ticks = ticksOf(of).map(([value, text]) => [up(value), text]).filter(([y]) => y > y0 + 4 && y < y1 - 2);
  for (const k of stacked(ticks.map(([y]) => y))) out += letters(room.x0 - 11, ticks[k][0] + 4, ticks[k][1], 'text-anchor="end"');
  out += `<text transform="translate(12,${(y0 + y1) / 2}) rotate(-90)" text-anchor="middle">training loss</text>`;
  if (one.constant !== null) out += `<line class="level" x1="${room.x0}" x2="${room.x1}" y1="${up(one.constant)}" y2="${up(one.constant)}"/>`;
  const line = Array.from(one.own.x, (x, k) => [alongX(x), up(one.own.loss[k])]);
  // Each loss as a dot, a column's as wide as it is: none joins two of them.
  for (const [x, y] of line) out += `<circle class="dot" cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="1.2"/>`;
  one.left.forEach((_, k) => {
    const y = up(of.values[k * one.y.length + one.centre]), [a, b] = column(k);
    if (Number.isFinite(y)) out += `<line class="own" x1="${a + 1}" x2="${b - 1}" y1="${y}" y2="${y}"/>`;
  });
  const names = [...named].map(([name, [left, right]]) => ({ text: name,
    x: clamp(alongX((left + right) / 2), room.x0 + textWidth(name) / 2 + 4, room.x1 - textWidth(name) / 2 - 4) }));
  const taken = names.map(() => 0), clear = dense(line);
  names.forEach((name, k) => {
    for (let n = 0; n < k; n++) if (Math.abs(names[n].x - name.x) < (textWidth(name.text) + textWidth(names[n].text)) / 2 + 6 &&
      taken[n] === taken[k]) taken[k]++;
    if (taken[k] > 1) return;
    const y = y0 + 14 + 14 * taken[k];
    out += letters(name.x, y, name.text, 'text-anchor="middle" class="event"');
    for (let part = -1; part <= 1; part += 0.25) clear.push([name.x + part * textWidth(name.text) / 2, y - 4]);
  });
  const homes = one.points.map((point) => ({ x: alongX(point.x), y: up(point.loss), text: point.text }));
  clear.push(...homes.map(({ x, y }) => [x, y]));
  for (const { left, base, text } of placed(homes, clear, [room.x0 + 2, y0, room.x1 - 2, y1]))
    out += letters(left, base, text);
  return openFrame(one.leaps, room.loss) + out +
    one.points.map((point, k) => mark(point.name, homes[k].x, homes[k].y)).join("");
}

// A strip's frame, open where nothing may be read from one column to the next.
const openFrame = (list, [y0, y1]) => box([room.x0, room.x1], [y0, y1]) + list.map((k) => {
  const [a, b] = [alongX(scan().left[k] + 1), alongX(scan().left[k + 1])];
  return `<rect class="gap" x="${a}" y="${y0 - 1}" width="${b - a}" height="${y1 - y0 + 2}"/>`;
}).join("");

// Axes of the columns, the run itself through their middles, and the walls.
function frames() {
  const one = scan(), [y0, y1] = room.slices;
  let out = openFrame(one.gaps, room.slices);
  for (const share of [1, 0.5, 0, -0.5, -1]) {
    const y = acrossY(share * room.far);
    out += `<line class="tick" x1="${room.x0 - 4}" x2="${room.x0}" y1="${y}" y2="${y}"/>` +
      letters(room.x0 - 7, y + (share === 1 ? 9 : share === -1 ? 0 : 4), written(share * room.far), 'text-anchor="end"');
  }
  out += `<text transform="translate(12,${(y0 + y1) / 2}) rotate(-90)" text-anchor="middle">${escaped(one.labels[1])}</text>`;
  one.left.forEach((_, k) => {
    const [a, b] = column(k), thin = 0.08 * (b - a);
    out += `<line class="middle" x1="${a}" x2="${b}" y1="${acrossY(0)}" y2="${acrossY(0)}"/>`;
    for (let n = 0; n < 4; n++) {
      const wall = one.walls[4 * k + n];
      if (!Number.isFinite(wall) || !state.path) continue;
      const at = n < 2 ? wall : -wall;
      if (smooth(measure(), k, [at])[0].value > 1 + 1e-9) continue; // within the grey
      const y = acrossY(at), ends = `x1="${a + thin}" x2="${b - thin}" y1="${y}" y2="${y}"`;
      out += `<line class="casing" ${ends}/><line class="wall" ${ends}/>`;
    }
  });
  for (const k of one.lost) out += letters((column(k)[0] + column(k)[1]) / 2, y0 + 9, "▾", 'text-anchor="middle"');
  return out;
}

// Critical sharpness of each column against the bounds of stability there.
function sharpness() {
  if (!room.sharp) return "";
  const one = scan(), [y0, y1] = room.sharp;
  const all = [...one.critical, ...one.bounds].filter((value) => Number.isFinite(value) && value > 0);
  const low = Math.log(Math.min(...all) / 1.6), high = Math.log(Math.max(...all) * 1.8);
  const up = (value) => y1 - (Math.log(value) - low) / (high - low) * (y1 - y0);
  let out = openFrame(one.gaps, room.sharp);
  const decades = roundTicks(Math.ceil(low / Math.LN10), Math.floor(high / Math.LN10), Math.max(1, (y1 - y0) / 22));
  for (const power of decades.filter(Number.isInteger)) out += letters(room.x0 - 7, up(10 ** power) + 4, written(10 ** power), 'text-anchor="end"');
  out += `<text class="small" transform="translate(12,${(y0 + y1) / 2}) rotate(-90)" text-anchor="middle">` +
    `<tspan x="0">critical</tspan><tspan x="0" dy="10">sharpness</tspan></text>`;
  const plain = one.bounds[0] === one.bounds[1], names = plain ? ["2/η"] : ["2(1−β)/η", "(2+2β)/η"];
  one.left.forEach((_, k) => {
    const [a, b] = column(k);
    names.forEach((_, n) => {
      const bound = one.bounds[2 * k + n];
      if (bound > 0) out += `<line class="bound" stroke-dasharray="${n || plain ? "" : "3 2"}" x1="${a + 1}" x2="${b - 1}" y1="${up(bound)}" y2="${up(bound)}"/>`;
    });
    if (one.critical[k] > 0 && Number.isFinite(one.critical[k])) out +=
      `<circle cx="${(a + b) / 2}" cy="${up(one.critical[k])}" r="${clamp((b - a) / 5, 1.6, 3.2)}" fill="${look().train}"/>`;
  });
  const points = Array.from(one.critical, (value, k) => [(column(k)[0] + column(k)[1]) / 2, up(value)]);
  names.forEach((name, n) => {
    const bound = one.bounds.at(n - 2);
    if (!(bound > 0)) return;
    for (const text of [`stability bound ${name}`, name]) {
      const wide = textWidth(text, 11);
      const homes = [0.99, 0.75, 0.5, 0.25].flatMap((share) => [[share, -5], [share, 13]]).map(([share, down]) =>
        [room.x0 + share * (room.x1 - room.x0) - wide, up(bound) + down]);
      const home = homes.find(([x, y]) => x > room.x0 && y > y0 + 9 && y < y1 - 2 && !points.some(([px, py]) =>
        px > x - 4 && px < x + wide + 4 && py > y - 13 && py < y + 4));
      if (!home) continue;
      out += letters(...home, text, 'class="small"');
      break;
    }
  });
  return out;
}

function columnRuler() {
  const one = scan(), places = one.left.map((_, k) => (column(k)[0] + column(k)[1]) / 2);
  const texts = one.steps.map(whole);
  let out = places.map((x) => `<line class="tick" x1="${x}" x2="${x}" y1="${room.floor}" y2="${room.floor + 3}"/>`).join("");
  for (const k of sparse(places, texts)) out += letters(places[k], room.floor + 16, texts[k], 'text-anchor="middle"');
  return out + letters((room.x0 + room.x1) / 2, room.floor + 32,
    room.narrow ? one.labels[0].replace(/ \(.*/, "") : one.labels[0], 'text-anchor="middle"');
}

// What moves with the steps: the cursor through all strips and the slice beside.
function walkValley() {
  const one = scan(), k = state.index, [a, b] = column(k), probe = state.probe?.[1];
  const strips = [room.loss, ...(room.sharp ? [room.sharp] : [])].map((strip) => box([a, b], strip, "veil")).join("");
  let out = strips + box([a, b], [room.loss[0], room.floor], "here") +
    `<path class="pointer" d="M${(a + b) / 2 - 5},${room.loss[0] - 7}h10l-5,6z"/>`;
  if (probe !== undefined) out += `<circle class="probe" cx="${(a + b) / 2}" cy="${acrossY(one.y[probe])}" r="4.5"/>`;
  $("moving").innerHTML = out + slice(k);
}

// Loss against the place across: beside the columns on their own axis, or beneath them.
function slice(k) {
  const one = scan(), of = measure(), ny = one.y.length, { x: [x0, x1], y: [y0, y1] } = room.beside;
  const along = (p) => clamp((p + BEYOND) / (1 + 2 * BEYOND), -0.01, 1.01);
  const at = room.narrow
    ? (y, p) => [(x0 + x1) / 2 + y / room.far * (x1 - x0) / 2, y1 - along(p) * (y1 - y0)]
    : (y, p) => [x0 + along(p) * (x1 - x0), acrossY(y)];
  const pair = ([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`;
  const band = (p, q, kind, more = "") => {
    const [a, b] = [at(-room.far, p), at(room.far, q)];
    return `<rect class="${kind}" ${more} x="${Math.min(a[0], b[0])}" y="${Math.min(a[1], b[1])}" ` +
      `width="${Math.abs(a[0] - b[0])}" height="${Math.abs(a[1] - b[1])}"/>`;
  };
  const rule = (p, kind) => `<path class="${kind}" d="M${pair(at(-room.far, p))}L${pair(at(room.far, p))}"/>`;
  let out = `<clipPath id="inside">${box([x0, x1], [y0, y1])}</clipPath>${box([x0, x1], [y0, y1], "ground")}`;
  if (of.cap) out += band(1, 1 + BEYOND, "", `fill="${look().beyond}"`);
  // Its colours, as thin as an axis.
  for (let n = 0; n < 40; n++) {
    const [a, b] = [at(-room.far, n / 40), at(-room.far, (n + 1) / 40)];
    out += room.narrow
      ? `<rect x="${x0 - 7}" y="${b[1]}" width="5" height="${a[1] - b[1] + 0.6}" fill="${shade(THEME.loss, (n + 0.5) / 40)}"/>`
      : `<rect x="${a[0]}" y="${y1 + 2}" width="${b[0] - a[0] + 0.6}" height="5" fill="${shade(THEME.loss, (n + 0.5) / 40)}"/>`;
  }
  const ticks = ticksOf(of).map(([value, text]) => [at(0, position(of, value)), text]);
  const kept = room.narrow ? stacked(ticks.map(([[, y]]) => y)).map((n) => ticks[n])
    : sparse(ticks.map(([[x]]) => x), ticks.map(([, text]) => text)).map((n) => ticks[n]);
  for (const [[x, y], text] of kept) out += room.narrow
    ? letters(x0 - 11, y + 4, text, 'text-anchor="end"') : letters(x, y1 + 19, text, 'text-anchor="middle"');
  if (room.narrow) for (const share of [-1, 0, 1])
    out += letters(at(share * room.far, 0)[0], y1 + 15, written(share * room.far), `text-anchor="${["start", "middle", "end"][share + 1]}"`);
  out += room.narrow ? letters((x0 + x1) / 2, y1 + 31, one.labels[1], 'text-anchor="middle"')
    : letters((x0 + x1) / 2, y1 + 34, of.short, 'text-anchor="middle"');
  const own = of.values[k * ny + one.centre];
  if (of.name === "train_loss" && Number.isFinite(own)) {
    out += rule(position(of, own + one.rise.by), "rise");
    if (!room.narrow) out += letters(at(0, position(of, own + one.rise.by))[0], y0 + 12, `+${one.rise.said}`, 'class="small" dx="3"');
    for (let n = 0; n < 4; n++) if (Number.isFinite(one.walls[4 * k + n])) {
      const y = n < 2 ? one.walls[4 * k + n] : -one.walls[4 * k + n], p = position(of, own + one.rise.by);
      const [x, where] = at(y, p);
      out += room.narrow ? `<path class="wall" d="M${x},${where - 6}v12"/>` : `<path class="wall" d="M${x - 6},${where}h12"/>`;
    }
  }
  const [c, d] = [at(0, -BEYOND), at(0, 1 + BEYOND)];
  out += `<path class="rise" d="M${pair(c)}L${pair(d)}"/>`;
  const fine = Array.from({ length: 161 }, (_, n) => one.y[0] + (one.y.at(-1) - one.y[0]) * n / 160);
  let pen = "", broken = true;
  smooth(of, k, fine).forEach(({ value }, n) => {
    if (Number.isFinite(value)) pen += `${broken ? "M" : "L"}${pair(at(fine[n], value))}`;
    broken = !Number.isFinite(value);
  });
  out += `<g clip-path="url(#inside)"><path class="own" d="${pen}"/>`;
  one.y.forEach((y, b) => {
    const value = position(of, of.values[k * ny + b]), held = !one.measured || one.measured[k * ny + b];
    if (!Number.isFinite(value) || value > 1 + BEYOND || !held) return;
    const [px, py] = at(y, value);
    out += `<circle class="dot" cx="${px.toFixed(1)}" cy="${py.toFixed(1)}" r="1.7"/>`;
  });
  out += "</g>";
  const self = position(of, own);
  if (Number.isFinite(self)) {
    const [px, py] = at(0, self);
    out += `<circle cx="${px}" cy="${py}" r="5" fill="${self > 1 ? look().beyond : shade(THEME.loss, self)}" stroke="${css("ink")}" stroke-width="1.5"/>`;
  }
  if (state.probe) {
    const [px, py] = at(one.y[state.probe[1]], position(of, of.values[k * ny + state.probe[1]]));
    out += `<circle class="probe" cx="${px}" cy="${py}" r="4.5"/>`;
  }
  return out + box([x0, x1], [y0, y1]) + letters(x0, y0 - 7, `column at step ${whole(step())}`, 'class="head"');
}

// What is known of a column, as rows of what and how much.
function columnFacts(k) {
  const one = scan(), rows = [], at = k * one.y.length + one.centre;
  rows.push(["loss", written(one.measures[0].values[at], 4)]);
  const [low, middle, high] = [0, 1, 2].map((n) => one.widths[3 * k + n]);
  const far = (value) => (value === Infinity ? `beyond ${written(room?.far ?? one.y.at(-1))}` : written(value));
  if (!Number.isNaN(middle)) rows.push(["width r₀.₁", far(middle)], [`its ${one.spread.widths}`, `${far(low)} to ${far(high)}`]);
  if (!Number.isNaN(one.critical[k])) rows.push(["critical sharpness", written(one.critical[k])]);
  if (one.bounds[2 * k] > 0) rows.push(["bounds of stability", [...new Set([one.bounds[2 * k], one.bounds[2 * k + 1]].map((value) => written(value)))].join(" and ")]);
  const during = happening(one, one.steps[k]);
  if (during.length) rows.push(["during", during.join(", ")]);
  if (one.returned[k] >= 0) rows.push(["came back to", `step ${whole(one.steps[one.returned[k]])}`]);
  if (one.gaps.includes(k - 1)) rows.push(["break before", "it moved far"]);
  if (one.lost.includes(k)) rows.push(["direction", "not the one before"]);
  return rows;
}

// The column and the point across that are under a place of the stage; null beside the columns.
function underneath(x, y) {
  const one = scan();
  if (!room || x < room.x0 || x > room.x1 || y < room.loss[0] || y > room.floor) return null;
  const at = (x - room.x0) / (room.x1 - room.x0) * one.wide;
  const k = Math.max(0, one.left.findLastIndex((left) => left <= at));
  const inside = y >= room.slices[0] && y <= room.slices[1];
  const wanted = inside ? ((room.slices[0] + room.slices[1]) / 2 - y) / (room.slices[1] - room.slices[0]) * 2 * room.far : NaN;
  const b = inside ? one.y.reduce((near, value, n) => (Math.abs(value - wanted) < Math.abs(one.y[near] - wanted) ? n : near), 0) : null;
  return { k, b };
}
