// ---- Maps: a tile for each problem

const TILE_LINE = 16;
// Lines of at most so many letters, broken behind "_" and at spaces; null where a word is longer.
const broken = (text, most) => {
  const lines = [];
  for (const word of text.length <= most ? [text] : text.split(/(?<=_)| /)) {
    const last = lines.at(-1);
    const joined = last === undefined ? word : last + (last.endsWith("_") ? "" : " ") + word;
    if (joined.length <= most && last !== undefined) lines[lines.length - 1] = joined; else lines.push(word);
  }
  return lines.every((line) => line.length <= most) ? lines : null;
};
// The name, or a number where it has no room; below it the lead, where that has room.
const wordsOf = (own, number, room) => {
  const fits = (lines) => lines && lines.length <= room.lines;
  const names = own.undecided.map((open) => broken(open ? `${own.name} ?` : own.name, room.letters));
  const isNumbered = !names.every(fits);
  const text = own.undecided.map((open, i) => {
    const lines = isNumbered ? [open ? `${number} ?` : `${number}`] : names[i];
    const lead = own.lead[i] ? broken(own.lead[i], room.letters) : null;
    return (lead && fits([...lines, ...lead]) ? [...lines, ...lead] : lines).join("<br>");
  });
  return { name: isNumbered ? `${number}  ${own.name}` : own.name, text };
};

// Behind a name on a hatched tile: the paper, on all sides.
const halo = (paper) => [[-2, 0], [2, 0], [0, -2], [0, 2], [-1, -1], [1, 1], [-1, 1], [1, -1]].map(([x, y]) => `${x}px ${y}px 2px ${paper}`).join(", ");
// One bar for each tile: each implementation has its colour, hatching and legend entry.
const tiles = (xs, ys, size, every) => (own) => {
  const [ink, , paper] = look();
  const room = { letters: Math.floor((0.92 * size[0]) / xs.length / LETTER), lines: Math.floor((0.92 * size[1]) / ys.length / TILE_LINE) };
  return {
    type: "bar", ...wordsOf(own, every.indexOf(own) + 1, room), width: 0.96, textposition: "inside", insidetextanchor: "middle",
    constraintext: "none", textangle: 0, hoverinfo: own.hover.length ? "text" : "name",
    x: own.x.map((x) => xs.indexOf(x)), base: own.y.map((y) => ys.indexOf(y) - 0.48), y: own.y.map(() => 0.96),
    hovertext: own.hover.map((i) => hovers[i]),
    textfont: { size: 12, shadow: own.undecided.map((open) => (open ? halo(paper) : "none")), color: own.undecided.map((open) => (open ? ink : looks[own.look][dark.matches ? 5 : 4])) },
    marker: {
      color: colours(own), opacity: 1, line: { width: 0 },
      pattern: {
        shape: own.undecided.map((open) => (open ? "/" : "")), fillmode: "replace", solidity: 0.2, size: 9,
        bgcolor: paper, fgcolor: colours(own),
      },
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
const drawMap = (place, chart) => {
  const [xs, ys] = ["x", "y"].map((axis) => sorted(chart.tiles.flatMap((t) => t[axis])));
  const laid = mapLayout(chart, xs, ys);
  const shown = tilesOf(chart).map(tiles(xs, ys, insideOf(place, laid), chart.tiles));
  Plotly.react(place, shown, laid, settings());
};
