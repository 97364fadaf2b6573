// What several views draw: the figures' marks, labels that cover nothing, axes; as SVG.

const GLYPHS = { start: "●", best: "★", end: "■" };
const glyph = (name) => GLYPHS[name] ?? "◆";
const colourOf = (name) => THEME.marks[name] ?? THEME.other;
const SHAPES = {
  start: (r) => `<circle r="${0.85 * r}"/>`,
  end: (r) => `<rect x="${-0.78 * r}" y="${-0.78 * r}" width="${1.56 * r}" height="${1.56 * r}"/>`,
  best: (r) => `<polygon points="${star(1.35 * r)}"/>`,
};

function star(r) {
  return Array.from({ length: 10 }, (_, k) => {
    const out = k % 2 ? 0.4 * r : r, turn = Math.PI * (k / 5 - 0.5);
    return `${(out * Math.cos(turn)).toFixed(2)},${(out * Math.sin(turn)).toFixed(2)}`;
  }).join(" ");
}

function mark(name, x, y, r = 6) {
  const shape = SHAPES[name] ?? ((size) => `<polygon points="0,${-size} ${size},0 0,${size} ${-size},0"/>`);
  return `<g transform="translate(${x.toFixed(1)},${y.toFixed(1)})" fill="${colourOf(name)}" ` +
    `stroke="#1a1a1a" stroke-width="0.8"><title>${name}</title>${shape(r)}</g>`;
}

const ruler = document.createElement("canvas").getContext("2d");
function textWidth(text, size = 12) {
  ruler.font = `${size}px system-ui, sans-serif`;
  return ruler.measureText(text).width;
}

const escaped = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;");
const letters = (x, y, text, more = "") =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${escaped(text)}</text>`;

// Labels [{x, y, text}] beside their places: where they cover no point of `clear`, no label before
// them and stay within the box; one that fits nowhere is left off, its mark has a title.
function placed(labels, clear, box, size = 12) {
  const taken = [], found = [];
  for (const { x, y, text, of } of labels) {
    const wide = textWidth(text, size), tall = size + 2;
    const ways = [];
    for (const far of [9, 16, 26, 40]) for (const [right, up] of [[1, 0], [1, -1], [1, 1], [-1, 0], [-1, -1], [-1, 1], [0, -1], [0, 1]])
      ways.push([x + right * far - (right < 0 ? wide : right ? 0 : wide / 2), y + up * (far + 2) - tall / 2]);
    for (const far of [9, 16, 26]) for (const up of [-1, 1]) for (const left of [x - 8, x + 8 - wide])
      ways.push([left, y + up * (far + 2) - tall / 2]);
    const place = ways.find(([left, top]) => {
      const mine = [left - 2, top - 1, left + wide + 2, top + tall + 1];
      return mine[0] >= box[0] && mine[1] >= box[1] && mine[2] <= box[2] && mine[3] <= box[3] &&
        !taken.some((other) => mine[0] < other[2] && other[0] < mine[2] && mine[1] < other[3] && other[1] < mine[3]) &&
        !clear.some(([px, py]) => px > mine[0] && px < mine[2] && py > mine[1] && py < mine[3]);
    });
    if (!place) continue;
    taken.push([place[0] - 2, place[1] - 1, place[0] + wide + 2, place[1] + tall + 1]);
    found.push({ left: place[0], base: place[1] + size, text, of });
  }
  return found;
}

// A line's points, close enough that a label can't stand between two of them.
function dense(points, apart = 3) {
  const found = [];
  points.forEach(([x, y], k) => {
    const [a, b] = k ? points[k - 1] : [x, y], far = Math.hypot(x - a, y - b);
    if (!Number.isFinite(far)) return;
    const count = Math.max(1, Math.ceil(far / apart));
    for (let n = 1; n <= count; n++) found.push([a + (x - a) * n / count, b + (y - b) * n / count]);
  });
  return found;
}

// Round values within a range: 1, 2 or 5 times a power of ten apart.
function roundTicks(low, high, count) {
  const wanted = (high - low) / Math.max(1, count), power = 10 ** Math.floor(Math.log10(wanted || 1));
  const apart = power * [1, 2, 5, 10].find((factor) => factor * power >= wanted * 0.999);
  const found = [];
  for (let at = Math.ceil(low / apart) * apart; at <= high + 1e-9 * apart; at += apart) found.push(Number(at.toPrecision(12)));
  return found;
}

// Those of heights at which a text each doesn't touch another one, the ends before what is between.
function stacked(heights, apart = 15) {
  const kept = [];
  for (const k of new Set([0, heights.length - 1, ...heights.keys()]))
    if (k in heights && kept.every((other) => Math.abs(heights[k] - heights[other]) >= apart)) kept.push(k);
  return kept.sort((a, b) => a - b);
}

// Those of texts at places along a line that don't touch, the ends before what is between.
function sparse(places, texts, size = 11, apart = 10) {
  const order = [0, places.length - 1, ...places.keys()], taken = [], kept = new Set();
  for (const k of order) {
    const half = textWidth(texts[k], size) / 2 + apart / 2;
    if (kept.has(k) || taken.some(([a, b]) => places[k] - half < b && a < places[k] + half)) continue;
    taken.push([places[k] - half, places[k] + half]);
    kept.add(k);
  }
  return [...kept].sort((a, b) => a - b);
}
