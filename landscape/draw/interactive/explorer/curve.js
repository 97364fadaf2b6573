// A line in weight space: its losses as curves, the path where it is projected.

function curveTraces() {
  const one = scan(), kind = measure().name.split("_").at(-1);
  const same = one.measures.filter((of) =>
    ["loss", "accuracy"].includes(kind) ? of.name.endsWith(`_${kind}`) : of === measure());
  const traces = [];
  for (const of of same) {
    const colour = of.name.startsWith("validation") ? look().validation : look().train;
    if (of.band) traces.push({ x: [...one.x, ...[...one.x].reverse()], mode: "lines", fill: "toself",
      y: [...of.band[1], ...Array.from(of.band[0]).reverse()], line: { width: 0 },
      fillcolor: colour, opacity: 0.18, hoverinfo: "skip", type: "scatter" });
    traces.push({ type: "scatter", mode: "lines", x: one.x, y: Array.from(of.values), name: of.short,
      meta: { measure: of }, hoverinfo: "none", connectgaps: false,
      line: { color: colour, width: of === measure() ? 3 : 1.6 } });
  }
  if (kind === "loss" && state.path) for (const path of shown()) {
    const rows = path.step.map((_, k) => k).filter((k) => Number.isFinite(path.true[k]));
    const now = rows.filter((k) => k <= row(path));
    traces.push({ type: "scatter", mode: "markers", name: "path", hoverinfo: "none",
      meta: { path, rows: now }, x: now.map((k) => path.x[k]), y: now.map((k) => path.true[k]),
      marker: { size: 7, color: now.map((k) => colourAt(path, k)),
        symbol: now.map((k) => (path.faded[k] ? "circle-open" : "circle")), line: { color: "#333", width: 0.6 } } });
    const k = now.at(-1);
    if (k !== undefined) traces.push({ type: "scatter", mode: "markers", name: "now",
      hoverinfo: "none", meta: { path, rows: [k] }, x: [path.x[k]], y: [path.true[k]],
      marker: { size: 13, color: colourAt(path, k), line: { color: "#111", width: 2 } } });
  }
  if (state.probe) traces.push({ type: "scatter", mode: "markers", name: "pointed at", showlegend: false,
    hoverinfo: "skip", x: [one.x[state.probe[0]]], y: [measure().values[state.probe[0]]],
    marker: { size: 11, color: css("accent"), line: { color: "#fff", width: 2 } } });
  return traces;
}

function curveLayout() {
  const one = scan(), of = measure(), log = of.log && state.log;
  const rule = { gridcolor: css("line"), zeroline: false, linecolor: css("axis"), ticks: "outside" };
  const points = state.path ? one.points : [];
  const constant = lossKind() && one.constant !== null;
  const shapes = points.map((point) => ({ type: "line", x0: point.xy[0], x1: point.xy[0], yref: "paper",
    y0: 0, y1: 1, layer: "below", line: { width: 1.5, dash: "dot",
      color: THEME.marks[point.name] ?? THEME.other } }));
  if (constant) shapes.push({ type: "line", xref: "paper", x0: 0, x1: 1, y0: one.constant,
    y1: one.constant, layer: "below", line: { width: 1.5, dash: "dash", color: look().constant } });
  const room = 1 + 0.04 * (state.exaggeration - 1);
  return {
    margin: { l: 74, r: 26, t: 64, b: 62 }, showlegend: true, hovermode: "closest",
    legend: { orientation: "h", x: 1, xanchor: "right", y: 1.0, yanchor: "bottom" }, dragmode: "pan",
    uirevision: `${state.at},${state.log},${state.measure}`, paper_bgcolor: css("page"), plot_bgcolor: css("page"),
    font: { family: "system-ui, sans-serif", color: css("ink") }, shapes,
    xaxis: { ...rule, title: { text: `${one.labels[0]} (${one.units[0]})` },
      range: [one.x[0], one.x.at(-1)] },
    yaxis: { ...rule, type: log ? "log" : "linear", title: { text: of.short },
      range: limits(of, log, room) },
    annotations: points.map((point, k) => ({ yshift: -15 * k, x: point.xy[0], y: 1, yref: "paper", yanchor: "top",
      text: point.name, showarrow: false, xanchor: "left", font: { size: 12 } })),
  };
}

// Everything on a logarithmic scale, up to the cap on a linear one; a margin around it.
function limits(of, log, room) {
  const top = log ? of.values.reduce((most, value) => (value < Infinity ? Math.max(most, value) : most), of.high) : of.high;
  const [low, high] = log ? [Math.log10(of.low), Math.log10(top)] : [of.low, top];
  const margin = 0.04 * room * (high - low);
  return [low - margin, high + margin];
}
