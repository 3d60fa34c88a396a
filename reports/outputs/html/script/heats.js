// ---- Heat maps: panels side by side, on a phone one below the other

const HEAT_GAP = 0.09;
const HEAT_CELL = 34;
const [HEAT_LOW, HEAT_HIGH] = [60, 560];
const HEAT_COLOURS = [["#edf5fb", "#a4cce6", "#5aa3d0", "#2d6f99", "#003a61"], ["#132536", "#285477", "#3d83b8", "#8bbadc", "#d9f0ff"]];
// Weights have colours by their square roots: most weights of a long row are small.
const heatScale = (panel) => {
  if (panel.signed) return [[0, "#c25a00"], [0.5, dark.matches ? "#1d2733" : "#f4f6f8"], [1, dark.matches ? "#6cb8f2" : "#00659c"]];
  return HEAT_COLOURS[dark.matches ? 1 : 0].map((colour, i) => [panel.names.length ? i / 4 : (i / 4) ** 2, colour]);
};
// At most so many ticks: every 1, 2, 5, 10, 20, ...
const MOST_TICKS = 12;
const tickStep = (count) => [1, 2, 5, 10, 20, 50, 100].find((step) => count / step <= MOST_TICKS) ?? 200;
const axisName = (axis, i) => `${axis}${i ? i + 1 : ""}`;
const heatOf = (chart) => (panel, i) => {
  const most = panel.signed ? panel.most : chart.most;
  const value = panel.names.length ? "%{text}" : `${panel.word} %{z:.4~g}`;
  const words = panel.cells.map((row, q) => row.map((cell) => panel.names[cell] ?? panel.sides[q] ?? ""));
  const side = panel.sides.length && !panel.names.length ? "<br>%{text}" : "";
  return {
    type: "heatmap", z: panel.cells, text: words, xaxis: axisName("x", i), yaxis: axisName("y", i), name: panel.title,
    colorscale: heatScale(panel), zmin: panel.signed ? -most : 0, zmax: most, showscale: false, hoverongaps: false,
    xgap: panel.cells[0].length <= 48 ? 1 : 0, ygap: panel.cells.length <= 48 ? 1 : 0,
    hovertemplate: `${chart.y} %{y}, ${chart.x} %{x}<br>${value}${side}<extra></extra>`,
  };
};
const heatMark = (chart) => (_, i) => (chart.mark ? [{
  type: "scatter", mode: "markers", hoverinfo: "skip", x: [chart.mark[1]], y: [chart.mark[0]], xaxis: axisName("x", i), yaxis: axisName("y", i),
  marker: { symbol: "square-open", size: 14, color: dark.matches ? "#ff813d" : "#b14c00", line: { width: 3 } },
}] : []);
const heatLayout = (place, chart) => {
  const [ink, rule] = look();
  const [rows, columns] = [chart.panels[0].cells.length, chart.panels[0].cells[0].length];
  const across = narrow.matches ? 1 : chart.panels.length;
  const down = chart.panels.length / across;
  const margin = { l: 56, r: 12, t: 34, b: 46 };
  const wide = (1 - HEAT_GAP * (across - 1)) / across;
  const cell = Math.min(HEAT_CELL, (place.clientWidth - margin.l - margin.r) * wide / columns, HEAT_HIGH / rows);
  const high = Math.max(HEAT_LOW, cell * rows);
  const gap = 74;
  const inner = down * high + (down - 1) * gap;
  const laid = { ...common(), margin, showlegend: false, height: inner + margin.t + margin.b, plot_bgcolor: rule, annotations: [] };
  chart.panels.forEach((panel, i) => {
    const left = (i % across) * (wide + HEAT_GAP);
    const bottom = 1 - (Math.floor(i / across) * (high + gap) + high) / inner;
    const right = left + Math.min(wide, cell * columns / (place.clientWidth - margin.l - margin.r));
    const ends = (count) => ({
      showgrid: false, zeroline: false, linecolor: rule, fixedrange: narrow.matches, tick0: 0, dtick: tickStep(count), tickformat: "d",
    });
    laid[axisName("xaxis", i)] = { ...ends(columns), domain: [left, right], anchor: axisName("y", i), range: [-0.5, columns - 0.5], title: { text: chart.x, standoff: 6 } };
    laid[axisName("yaxis", i)] = {
      ...ends(rows), domain: [bottom, Math.min(1, bottom + high / inner)], anchor: axisName("x", i), range: [rows - 0.5, -0.5],
      ...(i % across ? {} : { title: { text: chart.y, standoff: 6 } }),
    };
    laid.annotations.push({
      text: panel.title, showarrow: false, xref: "paper", yref: "paper", x: left, y: Math.min(1, bottom + high / inner),
      xanchor: "left", yanchor: "bottom", yshift: 4, font: { size: 14, color: ink },
    });
  });
  return laid;
};
const drawHeat = (place, chart) => {
  Plotly.react(place, [...chart.panels.map(heatOf(chart)), ...chart.panels.flatMap(heatMark(chart))], heatLayout(place, chart), settings());
};
