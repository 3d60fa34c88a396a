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
const isEmpty = (chart) => (chart.blocks || chart.panels ? !passes(chart.facets) : !(chart.tiles ? tilesOf(chart) : seriesOf(chart)).length);
const sorted = (values) => [...new Set(values)].sort((a, b) => a - b);

// Bars from the left, each upon those of the series before it.
const stack = (series, colour) => ({
  type: "bar", orientation: "h", legendrank: 1, name: series.name, x: series.x, y: series.y, width: 0.62,
  hoverinfo: series.hover.length ? "text" : "x+name", hovertext: series.hover.map((i) => hovers[i]), textposition: "none",
  marker: { color: colour, line: { width: 1, color: look()[2] } },
});
const isStacked = (chart) => chart.series.some((s) => s.drawn === "stacked" || s.drawn === "spans");
// Bars from one value to another.
const spans = (series, colour) => ({ ...stack(series, colour), base: series.low, x: series.high.map((high, i) => high - series.low[i]) });

// A line has a gap at sizes without a figure. Points may be several at one size. A value beyond the axis is at its edge.
const trace = (sizes, bars, written) => (series) => {
  const colour = colours(series);
  if (series.drawn === "stacked") return stack(series, colour);
  if (series.drawn === "spans") return spans(series, colour);
  const xs = series.drawn === "line" ? sizes : series.x;
  const at = (values) => (series.drawn === "line" ? xs.map((size) => values[series.x.indexOf(size)] ?? null) : values);
  const hasHover = series.hover.length > 0;
  return {
    type: "scatter", connectgaps: false, name: series.name, legendrank: series.of < 0 ? 2 : 1, showlegend: !written.has(series.name),
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

// Points and bars within the range that the axis shows, with the places where one was cut.
const clipped = (chart, bars) => (series) => {
  const keep = (values) => values.map((value) => inside(chart, value));
  const ends = (i) => [series.low[i] ?? series[bars][i], series.high[i] ?? series[bars][i]];
  const sideOf = (value) => (value < chart.clip[0] ? 0 : value > chart.clip[1] ? 1 : -1);
  const cuts = !chart.clip || series.drawn === "bare" ? [] : series[bars].flatMap((value, i) =>
    [0, 1].filter((side) => sideOf(ends(i)[side]) === side || sideOf(value) === side).map((side) => [i, side]));
  return { ...series, [bars]: series.drawn === "bare" ? series[bars] : keep(series[bars]), low: keep(series.low), high: keep(series.high), cuts };
};
const arrows = (chart, bars) => (series) => series.cuts.length ? [{
  type: "scatter", mode: "markers", hoverinfo: "skip", showlegend: false,
  x: series.cuts.map(([i, side]) => (bars === "x" ? chart.clip[side] : series.x[i])),
  y: series.cuts.map(([i, side]) => (bars === "y" ? chart.clip[side] : series.y[i])),
  marker: {
    color: colours(series), size: 12, line: { width: 1, color: look()[2] },
    symbol: series.cuts.map(([, side]) => `arrow-${bars === "y" ? ["down", "up"][side] : ["left", "right"][side]}`),
  },
}] : [];

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
// Pixels of the inside of a chart. The legend takes one line, about.
const insideOf = (place, laid) => [
  place.clientWidth - laid.margin.l - laid.margin.r, laid.height - laid.margin.t - laid.margin.b - 24,
];

// With long names of lines of no implementation, the legend has a line for each entry: the chart keeps its height besides.
const legendHeight = (series) => {
  const long = series.filter((s) => s.of < 0 && s.name.length > MOST_LETTERS / 2);
  return 18 * Math.max(0, (narrow.matches && long.length ? series : long).length - 1);
};
const layout = (chart, series, sizes) => {
  const values = series.flatMap((s) => [...s.y, ...s.low, ...s.high]);
  const across = [...sizes, ...series.flatMap((s) => s.x)];
  const x = typed("x", across, chart.logX);
  const y = typed("y", values, chart.logY);
  return {
    ...common(), height: common().height + legendHeight(series), uirevision: `${x} ${y}`,
    xaxis: { ...axisOf(), title: { text: chart.x }, type: x, range: rangeOf(x, across), ...(chart.ticks ? marked(sizes, chart.names) : evenly(x, across)) },
    yaxis: { ...axisOf(), title: { text: chart.y }, type: y, range: rangeOf(y, y === "log" ? values : [0, ...values]), ...evenly(y, values) },
  };
};
// Names at the ends of lines: annotations, and the room for them.
const withNames = (place, series, laid) => {
  const margin = roomForNames(series, place.clientWidth);
  const { xaxis, yaxis } = laid;
  if (!margin || !xaxis.range || !yaxis.range) return [laid, new Set()];
  const wide = { ...laid, margin: { ...laid.margin, r: laid.margin.r + margin } };
  const size = insideOf(place, wide);
  const share = (axis, value) => (placeOf(axis.type, value) - axis.range[0]) / (axis.range[1] - axis.range[0]);
  const found = placesOfNames(series, (x, y) => [share(xaxis, x) * size[0], share(yaxis, y) * size[1]], size, margin);
  if (!found.length) return [laid, new Set()];
  return [{ ...wide, annotations: found.map(nameAt(xaxis.type, yaxis.type)) }, new Set(found.map(({ s }) => s.name))];
};
// The height of the legend of stacks: a line for each entry with long names or on a phone, else for each two.
const stackLegend = (series) => 20 * Math.ceil(series.length / (narrow.matches || series.some((s) => s.name.length > MOST_LETTERS) ? 1 : 2));
// Where the bars of each row end, each upon the one before it.
const stackEnds = (chart, series) => chart.rows.map((_, row) =>
  series.filter((s) => s.drawn === "stacked").reduce((sum, s) => sum + (s.x[s.y.indexOf(row)] ?? 0), 0));
// Rows of text in place of a y axis of numbers; they name the points, so there is no legend.
const rowLayout = (chart, series) => {
  const stacked = isStacked(chart);
  const values = [...(stacked ? [0, ...stackEnds(chart, series)] : []), ...series.flatMap((s) => [...s.x, ...s.low, ...s.high])];
  const x = typed("x", values, chart.logX && !stacked);
  return {
    ...common(), showlegend: stacked, height: 80 + 44 * chart.rows.length + (stacked ? stackLegend(series) : 0), uirevision: x,
    barmode: "stack", legend: { ...common().legend, traceorder: "normal", maxheight: 0.9 }, margin: { ...common().margin, l: 8 },
    xaxis: { ...axisOf(), title: { text: chart.x, font: { size: narrow.matches ? 12 : 14 } }, type: x, range: rangeOf(x, values), ...evenly(x, values) },
    yaxis: {
      ...axisOf(), automargin: true, fixedrange: true, range: [chart.rows.length - 0.5, -0.5], ticklabelposition: "outside",
      tickmode: "array", tickvals: chart.rows.map((_, i) => i), ticktext: chart.rows, tickfont: { size: narrow.matches ? 11 : 13 },
    },
  };
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
  if (chart.tiles) { drawMap(place, chart); return; }
  if (chart.blocks) { drawIcicle(place, chart); return; }
  if (chart.panels) { drawHeat(place, chart); return; }
  const bars = chart.rows.length ? "x" : "y";
  const series = seriesOf(chart).map(clipped(chart, bars));
  const marks = series.filter((s) => s.drawn !== "bare");
  const sizes = chart.sizes.length ? chart.sizes : sorted((marks.length ? marks : series).flatMap((s) => s.x));
  const [laid, written] = chart.rows.length ? [rowLayout(chart, series), new Set()] : withNames(place, series, layout(chart, series, sizes));
  Plotly.react(place, [...series.map(trace(sizes, bars, written)), ...series.flatMap(arrows(chart, bars))], laid, settings());
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
// Names and tiles have another room in a window of another width; a phone that hides its address bar changes the height.
let lastWidth = window.innerWidth;
window.addEventListener("resize", () => {
  if (window.innerWidth === lastWidth) return;
  lastWidth = window.innerWidth;
  redraw();
});

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
