// ---- Charts

const colours = (each) => looks[each.look][dark.matches ? 1 : 0];
const kept = (series) => {
  const at = series.x.map((_, i) => i).filter((i) => !series.facets.length || passes(spots[series.facets[i]]));
  const pick = (values) => (values.length ? at.map((i) => values[i]) : []);
  return { ...series, x: pick(series.x), y: pick(series.y), low: pick(series.low), high: pick(series.high), hover: pick(series.hover) };
};
const seriesOf = (chart) =>
  passes(chart.facets) ? chart.series.filter((s) => shows(s.of)).map(kept).filter((s) => s.x.length) : [];
const tilesOf = (chart) => (passes(chart.facets) ? chart.tiles.filter((t) => shows(t.of)) : []);
const isEmpty = (chart) => !(chart.tiles ? tilesOf(chart) : seriesOf(chart)).length;
const sorted = (values) => [...new Set(values)].sort((a, b) => a - b);

// A line has a gap at sizes without a figure. Points may be several at one size.
const trace = (sizes, bars) => (series) => {
  const colour = colours(series);
  const xs = series.drawn === "line" ? sizes : series.x;
  const at = (values) => (series.drawn === "line" ? xs.map((size) => values[series.x.indexOf(size)] ?? null) : values);
  const hasHover = series.hover.length > 0;
  return {
    type: "scatter", connectgaps: false, name: series.name, legendrank: series.of < 0 ? 2 : 1,
    mode: { line: "lines+markers", joined: "lines+markers", points: "markers", samples: "markers", bare: "lines" }[series.drawn],
    x: xs, y: at(series.y), hoverinfo: hasHover ? "text" : "x+y+name",
    hovertext: hasHover ? at(series.hover.map((i) => hovers[i])).map((text) => text ?? "") : undefined,
    line: { color: colour, width: 2, dash: looks[series.look][3] },
    marker: { color: colour, symbol: looks[series.look][2], ...(series.drawn === "samples" ? { size: 4, opacity: 0.6 } : { size: 9 }) },
    [`error_${bars}`]: series.low.length ? {
      type: "data", symmetric: false, color: colour, thickness: bars === "x" ? 2 : 1.2, width: 4,
      array: at(series.high.map((high, i) => high - series[bars][i])),
      arrayminus: at(series.low.map((low, i) => series[bars][i] - low)),
    } : { visible: false },
  };
};

// One bar for each tile: each implementation has its colour, hatching and legend entry.
const tiles = (xs, ys, paper) => (own) => ({
  type: "bar", name: own.name, width: 0.96, textposition: "inside", insidetextanchor: "middle",
  constraintext: "both", textangle: 0, hoverinfo: own.hover.length ? "text" : "name",
  x: own.x.map((x) => xs.indexOf(x)), base: own.y.map((y) => ys.indexOf(y) - 0.48), y: own.y.map(() => 0.96),
  text: own.undecided.map((open) => (open ? `${own.name} ?` : own.name)),
  hovertext: own.hover.map((i) => hovers[i]),
  textfont: { color: own.undecided.map((open) => (open ? (dark.matches ? "#ffffff" : "#1f2328") : paper)) },
  marker: {
    color: colours(own), opacity: 1, line: { width: 0 },
    pattern: {
      shape: own.undecided.map((open) => (open ? "/" : "")), fillmode: "replace", solidity: 0.25, size: 9,
      bgcolor: paper, fgcolor: colours(own),
    },
  },
});

const typed = (axis, values, log) => {
  const wanted = axes[axis] ? axes[axis] === "log" : log;
  return wanted && values.every((value) => value > 0) ? "log" : "linear";
};

const look = () => dark.matches ? ["#e6e9ed", "#343b45", "#14171c"] : ["#1f2328", "#d8dce1", "#ffffff"];
const common = () => {
  const [ink, rule, paper] = look();
  return {
    paper_bgcolor: paper, plot_bgcolor: paper, font: { color: ink, size: 13 },
    height: narrow.matches ? 400 : 416, hovermode: "closest",
    margin: { l: 64, r: narrow.matches ? 12 : 40, t: 12, b: 52 }, showlegend: true,
    modebar: { orientation: "v", bgcolor: "transparent", color: rule, activecolor: ink },
    legend: { orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom", font: { size: 12 } },
    hoverlabel: { align: "left", bgcolor: paper, bordercolor: rule, font: { color: ink } },
  };
};
const axisOf = () => ({ gridcolor: look()[1], linecolor: look()[1], zeroline: false, fixedrange: narrow.matches });
const marked = (values) => ({
  tickmode: "array", tickvals: values, ticktext: values.map(String),
  tickangle: values.length > 6 && narrow.matches ? -60 : 0,
});

// Ticks with plain numbers; on a logarithmic axis at 1, 2 and 5, at powers of 10 if it is long, automatic if short.
const evenly = (type, values) => {
  const over = Math.max(...values) / Math.min(...values);
  return { tickformat: "~r", ...(type === "log" && over >= 4 ? { dtick: over < 300 ? "D2" : 1 } : {}) };
};

const layout = (chart, series, sizes) => {
  const values = series.flatMap((s) => [...s.y, ...s.low]);
  const across = series.flatMap((s) => s.x);
  const x = typed("x", across, chart.logX);
  const y = typed("y", values, chart.logY);
  return {
    ...common(), uirevision: `${x} ${y}`,
    xaxis: { ...axisOf(), title: { text: chart.x }, type: x, ...(chart.ticks ? marked(sizes) : evenly(x, across)) },
    yaxis: {
      ...axisOf(), title: { text: chart.y }, type: y, ...evenly(y, values),
      rangemode: y === "log" ? "normal" : "tozero",
    },
  };
};
// Rows of text in place of a y axis of numbers; they name the points, so there is no legend.
const rowLayout = (chart, series) => {
  const values = series.flatMap((s) => [...s.x, ...s.low, ...s.high]);
  const x = typed("x", values, chart.logX);
  return {
    ...common(), showlegend: false, height: 80 + 44 * chart.rows.length, uirevision: x,
    margin: { ...common().margin, l: 8 },
    xaxis: { ...axisOf(), title: { text: chart.x, font: { size: narrow.matches ? 12 : 14 } }, type: x, ...evenly(x, values) },
    yaxis: {
      ...axisOf(), automargin: true, fixedrange: true, range: [chart.rows.length - 0.5, -0.5], ticklabelposition: "outside",
      tickmode: "array", tickvals: chart.rows.map((_, i) => i), ticktext: chart.rows, tickfont: { size: narrow.matches ? 11 : 13 },
    },
  };
};
const mapLayout = (chart, xs, ys) => {
  const index = (values, title) => ({
    ...axisOf(), title: { text: title }, showgrid: false, range: [-0.5, values.length - 0.5],
    tickmode: "array", tickvals: values.map((_, i) => i), ticktext: values.map(String),
  });
  return { ...common(), barmode: "overlay", bargap: 0, xaxis: index(xs, chart.x), yaxis: index(ys, chart.y) };
};

// The mode bar has its own margin; a narrow page has no room for it, and no zoom. Its buttons are listed, because the
// library has others that send the chart to a server.
const settings = () => ({
  responsive: true, displaylogo: false, displayModeBar: narrow.matches ? false : "hover",
  modeBarButtons: [["resetScale2d", "zoom2d", "pan2d"], ["toImage"]],
});

const boxes = all("[data-family]");
const selectOf = (place) => place.closest("figure").querySelector("select");
const chosen = (place) => families[place.dataset.family][Number(selectOf(place)?.value ?? 0)];

const draw = (place) => {
  const chart = chosen(place);
  place.setAttribute("aria-label", chart.alt);
  place.parentElement.querySelector(".note").textContent = chart.note;
  if (chart.tiles) {
    const [xs, ys] = ["x", "y"].map((axis) => sorted(chart.tiles.flatMap((t) => t[axis])));
    Plotly.react(place, tilesOf(chart).map(tiles(xs, ys, look()[2])), mapLayout(chart, xs, ys), settings());
    return;
  }
  const series = seriesOf(chart);
  const marks = series.filter((s) => s.drawn !== "bare");
  const sizes = chart.sizes.length ? chart.sizes : sorted((marks.length ? marks : series).flatMap((s) => s.x));
  const [bars, laid] = chart.rows.length ? ["x", rowLayout(chart, series)] : ["y", layout(chart, series, sizes)];
  Plotly.react(place, series.map(trace(sizes, bars)), laid, settings());
};

// Charts are drawn when they come near the window, and redrawn then if they are out of date.
const near = new Set();
const stale = new Set(boxes);
const drawStale = (wanted) => {
  for (const place of stale) {
    if (!wanted(place) || place.closest("figure").hidden) continue;
    stale.delete(place);
    draw(place);
  }
};
const drawNear = () => drawStale((place) => near.has(place));
const redraw = (some = boxes) => { some.forEach((place) => stale.add(place)); drawNear(); };
const watch = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) near[isIntersecting ? "add" : "delete"](target);
  drawNear();
}, { rootMargin: "400px" });
// Text and tables are readable before the first chart is drawn.
const begin = () => boxes.forEach((place) => watch.observe(place));
if (document.readyState === "complete") begin(); else window.addEventListener("load", begin, { once: true });
const drawAll = () => drawStale((place) => !place.closest("details:not([open])"));
window.addEventListener("beforeprint", drawAll);
window.matchMedia("print").addEventListener("change", ({ matches }) => matches && drawAll());
dark.addEventListener("change", () => redraw());
narrow.addEventListener("change", () => redraw());

const choose = (select, label) => {
  const option = [...select.options].find((each) => each.text === label && !each.disabled);
  if (!option || option.selected) return;
  option.selected = true;
  redraw(all("[data-family]", select.closest("figure")));
};
for (const select of all("select[data-for]")) {
  select.addEventListener("change", () => {
    const label = select.selectedOptions[0].text;
    redraw(all("[data-family]", select.closest("figure")));
    for (const each of all("select[data-for]", select.closest("section"))) choose(each, label);
  });
}

// A figure shows a chart of its family that is not empty under the filters; without one it is hidden.
const fit = (place) => {
  const select = selectOf(place);
  const family = families[place.dataset.family];
  const open = family.map((chart) => !isEmpty(chart));
  place.closest("figure").hidden = !open.includes(true);
  if (!select) return;
  [...select.options].forEach((option, i) => { option.disabled = option.hidden = !open[i]; });
  if (select.selectedOptions[0]?.disabled && open.includes(true)) select.value = String(open.indexOf(true));
};
