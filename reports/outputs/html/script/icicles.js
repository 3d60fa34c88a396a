// ---- Icicles: blocks within blocks; a click on one shows it alone

const drawIcicle = (place, chart) => {
  const { name, text, parent, value, hover, look: own } = chart.blocks;
  const [, , paper] = look();
  const laid = { ...common(), showlegend: false, margin: { l: 4, r: 4, t: 28, b: 4 } };
  const blocks = {
    type: "icicle", branchvalues: "remainder", sort: false, ids: name.map((_, i) => `${i}`),
    labels: name, text, parents: parent.map((i) => (i < 0 ? "" : `${i}`)), values: value,
    textinfo: "label+text", hoverinfo: hover.length ? "text" : "label+text", hovertext: hover.map((i) => hovers[i]),
    tiling: { orientation: "h", pad: 1 }, pathbar: { textfont: { size: 12 }, thickness: 22 }, leaf: { opacity: 1 },
    textfont: { color: own.map((i) => looks[i][dark.matches ? 5 : 4]) },
    marker: { colors: own.map((i) => looks[i][dark.matches ? 1 : 0]), line: { width: 1, color: paper } },
  };
  Plotly.react(place, [blocks], laid, { ...settings(), modeBarButtons: [["toImage"]] });
};
