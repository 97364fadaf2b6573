// A grid of heights as triangles: cut at the top, contour lines, the rim.
// A mesh is {x, y, z, colour, i, j, k}; corner a * ny + b carries the grid's value [a, b].

function triangulate(x, y, heights, colours) {
  const nx = x.length, ny = y.length;
  const mesh = { x: [], y: [], z: [], colour: [], i: [], j: [], k: [] };
  for (let a = 0; a < nx; a++) for (let b = 0; b < ny; b++) {
    const height = heights[a * ny + b], known = Number.isFinite(height);
    mesh.x.push(x[a]); mesh.y.push(y[b]);
    mesh.z.push(known ? height : 0); mesh.colour.push(known ? colours[a * ny + b] : 0);
  }
  const add = (p, q, r) => {
    if ([p, q, r].every((at) => Number.isFinite(heights[at]))) {
      mesh.i.push(p); mesh.j.push(q); mesh.k.push(r);
    }
  };
  for (let a = 0; a < nx - 1; a++) for (let b = 0; b < ny - 1; b++) {
    const p = a * ny + b, q = p + ny, r = q + 1, s = p + 1;
    // The flatter diagonal: the other one would put a notch into every slope.
    if (Math.abs(mesh.z[p] - mesh.z[r]) <= Math.abs(mesh.z[q] - mesh.z[s])) {
      add(p, q, r); add(p, r, s);
    } else {
      add(p, q, s); add(q, r, s);
    }
  }
  return mesh;
}

// Keep what is below the height 1; neighbours share the corners of the cut.
function cutAtTop(mesh) {
  const { x, y, z, colour } = mesh, made = new Map();
  const kept = { x: [...x], y: [...y], z: [...z], colour: [...colour], i: [], j: [], k: [] };
  const above = z.map((height) => height > 1);
  const crossing = (a, b) => {
    const [low, high] = a < b ? [a, b] : [b, a], key = low * x.length + high;
    if (!made.has(key)) {
      const along = (1 - z[low]) / (z[high] - z[low]);
      made.set(key, kept.x.length);
      for (const part of ["x", "y", "colour"])
        kept[part].push(mesh[part][low] + along * (mesh[part][high] - mesh[part][low]));
      kept.z.push(1);
    }
    return made.get(key);
  };
  for (let n = 0; n < mesh.i.length; n++) {
    const face = [mesh.i[n], mesh.j[n], mesh.k[n]], outline = [];
    for (let m = 0; m < 3; m++) {
      const here = face[m], there = face[(m + 1) % 3];
      if (!above[here]) outline.push(here);
      if (above[here] !== above[there]) outline.push(crossing(here, there));
    }
    for (let m = 1; m < outline.length - 1; m++) {
      kept.i.push(outline[0]); kept.j.push(outline[m]); kept.k.push(outline[m + 1]);
    }
  }
  // Corners above the top belong to no triangle any more, but plotly counts them for its extent.
  for (let n = 0; n < above.length; n++) if (above[n]) kept.z[n] = 1;
  return kept;
}

// Segments where the height is one of the levels, with nulls between them, and each end's normal.
// `unit` is the length in the box of 1 on each axis.
function contourLines(mesh, levels, unit) {
  const line = { x: [], y: [], z: [], normal: [] };
  for (let n = 0; n < mesh.i.length; n++) {
    const face = [mesh.i[n], mesh.j[n], mesh.k[n]];
    const heights = face.map((at) => mesh.z[at]);
    const low = Math.min(...heights), high = Math.max(...heights);
    for (const level of levels) {
      if (level <= low || level > high) continue;
      const ends = [];
      for (let m = 0; m < 3; m++) {
        const a = face[m], b = face[(m + 1) % 3];
        if (mesh.z[a] >= level === mesh.z[b] >= level) continue;
        const along = (level - mesh.z[a]) / (mesh.z[b] - mesh.z[a]);
        ends.push([mesh.x[a] + along * (mesh.x[b] - mesh.x[a]),
          mesh.y[a] + along * (mesh.y[b] - mesh.y[a])]);
      }
      if (ends.length !== 2) continue;
      const upright = normal(mesh, face, unit);
      line.normal.push(upright, upright, null);
      line.x.push(ends[0][0], ends[1][0], null);
      line.y.push(ends[0][1], ends[1][1], null);
      line.z.push(level, level, null);
    }
  }
  return line;
}

// What to add to a place on a triangle to stand off it by 1 in the box.
function normal(mesh, face, unit) {
  const at = face.map((n) => [mesh.x[n] * unit[0], mesh.y[n] * unit[1], mesh.z[n] * unit[2]]);
  const [u, v] = [1, 2].map((m) => at[m].map((value, k) => value - at[0][k]));
  const across = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
  const size = Math.hypot(...across) || 1;
  return across.map((value, k) => value / size / unit[k]);
}

// The same lines, moved off their surface.
function lifted(line, by) {
  const move = (values, k) =>
    values.map((value, n) => (value === null ? null : value + by * line.normal[n][k]));
  return { x: move(line.x, 0), y: move(line.y, 1), z: move(line.z, 2) };
}

// The edges that belong to one triangle only.
function rim(mesh) {
  const seen = new Map(), size = mesh.x.length;
  for (let n = 0; n < mesh.i.length; n++) {
    const face = [mesh.i[n], mesh.j[n], mesh.k[n]];
    for (let m = 0; m < 3; m++) {
      const a = face[m], b = face[(m + 1) % 3], key = Math.min(a, b) * size + Math.max(a, b);
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
  }
  const line = { x: [], y: [], z: [] };
  for (const [key, count] of seen) if (count === 1) {
    for (const at of [Math.floor(key / size), key % size]) {
      line.x.push(mesh.x[at]); line.y.push(mesh.y[at]); line.z.push(mesh.z[at]);
    }
    for (const part of [line.x, line.y, line.z]) part.push(null);
  }
  return line;
}
