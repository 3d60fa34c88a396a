// ---- Icicles: blocks within blocks; a click on one shows it alone

const LEVEL = 26;
const PATH = 22;
// Entries of the legend; the library has none for icicles.
const keyOf = ([name, own]) => ({
  type: "scatter", mode: "markers", name, x: [null], y: [null], hoverinfo: "skip",
  marker: { symbol: "square", size: 11, color: looks[own][dark.matches ? 1 : 0] },
});
const icicleLayout = (chart) => {
  const none = { visible: false, fixedrange: true };
  const laid = { ...common(), showlegend: chart.legend.length > 0, margin: { l: 4, r: 4, t: PATH + 6, b: 4 }, xaxis: none, yaxis: none };
  laid.legend = { ...laid.legend, y: -0.01, yanchor: "top", maxheight: 0.9, itemclick: false, itemdoubleclick: false };
  if (!chart.down) return laid;
  const lines = Math.ceil(chart.legend.length / (narrow.matches ? 1 : 6));
  return { ...laid, height: LEVEL * chart.levels + PATH + 16 + 20 * lines, uniformtext: { mode: "hide", minsize: 10 } };
};
const drawIcicle = (place, chart) => {
  const { name, text, parent, value, hover, look: own } = chart.blocks;
  const [, , paper] = look();
  const blocks = {
    type: "icicle", branchvalues: "remainder", sort: false, ids: name.map((_, i) => `${i}`),
    labels: name, text, parents: parent.map((i) => (i < 0 ? "" : `${i}`)), values: value,
    ...(chart.down ? { texttemplate: "%{label}  %{text}" } : { textinfo: "label+text" }),
    hoverinfo: hover.length ? "text" : "label+text", hovertext: hover.map((i) => hovers[i]),
    tiling: { orientation: chart.down ? "v" : "h", pad: 1 }, pathbar: { textfont: { size: 12 }, thickness: PATH }, leaf: { opacity: 1 },
    textfont: { size: 12, color: own.map((i) => looks[i][dark.matches ? 5 : 4]) },
    marker: { colors: own.map((i) => looks[i][dark.matches ? 1 : 0]), line: { width: 1, color: paper } },
  };
  Plotly.react(place, [blocks, ...chart.legend.map(keyOf)], icicleLayout(chart), { ...settings(), displayModeBar: false });
};
