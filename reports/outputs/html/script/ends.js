// ---- Names at the ends of lines, shifted apart, where they have room; the legend has the others

const LETTER = 6.9;
const LINE = 15;
const NAME_GAP = 12;
const MOST_LETTERS = 26;
const MOST_SHARE = 0.3;
const MOST_SHIFT = 6;
const named = (series) => series.filter((s) => s.of >= 0 && s.drawn !== "bare" && s.drawn !== "samples");
const widthOf = (name) => NAME_GAP + LETTER * name.length;

// The pixels to keep right of a chart; 0 where names would take too much of it.
const roomForNames = (series, width) => {
  const longest = Math.max(0, ...named(series).map((s) => s.name.length));
  const wanted = 8 + NAME_GAP + LETTER * longest;
  return longest && longest <= MOST_LETTERS && wanted <= MOST_SHARE * width && !narrow.matches ? wanted : 0;
};

// Heights in the order of the wanted ones and apart, with the least squares of their shifts (pooled violators).
const spreadOut = (wanted, most) => {
  if (LINE * wanted.length > most) return null;
  const order = wanted.map((_, i) => i).sort((a, b) => wanted[a] - wanted[b]);
  const pools = [];
  order.forEach((place, rank) => {
    pools.push([wanted[place] - LINE * rank, 1]);
    while (pools.length > 1 && pools.at(-2)[0] > pools.at(-1)[0]) {
      const [[one, n], [other, m]] = pools.splice(-2);
      pools.push([(one * n + other * m) / (n + m), n + m]);
    }
  });
  const last = most - LINE * (order.length - 0.5);
  const moved = pools.flatMap(([value, count]) => Array(count).fill(Math.min(Math.max(value, LINE / 2), last)));
  const found = [];
  order.forEach((place, rank) => { found[place] = moved[rank] + LINE * rank; });
  return found.every((y, i) => Math.abs(y - wanted[i]) <= MOST_SHIFT * LINE) ? found : null;
};

// Where names stand, in pixels from the lower left corner: not beyond the margin, upon a point, or upon another name.
const placesOfNames = (series, pixels, size, margin) => {
  const shown = named(series).map((s) => ({ s, points: s.x.map((x, i) => pixels(x, s.y[i])) }));
  const taken = shown.flatMap((each) => each.points);
  const ends = new Map();
  for (const each of shown) {
    const x = each.points.at(-1)[0];
    ends.set(x, [...(ends.get(x) ?? []), each]);
  }
  const found = [];
  for (const [x, own] of [...ends].sort(([a], [b]) => b - a)) {
    const heights = spreadOut(own.map((each) => each.points.at(-1)[1]), size[1]);
    const fits = heights && own.every(({ s }, i) => x + widthOf(s.name) <= size[0] + margin &&
      ![...taken, ...found.map((each) => each.at)].some(([px, py]) => x < px && px < x + widthOf(s.name) && Math.abs(py - heights[i]) < LINE));
    if (fits) found.push(...own.map(({ s, points }, i) => ({ s, at: [x, heights[i]], shift: heights[i] - points.at(-1)[1] })));
  }
  return found;
};

// A name with a line from the last point of its series.
const nameAt = (xType, yType) => ({ s, shift }) => ({
  text: s.name, x: placeOf(xType, s.x.at(-1)), y: placeOf(yType, s.y.at(-1)), ax: NAME_GAP, ay: -shift,
  xanchor: "left", yanchor: "middle", showarrow: true, arrowhead: 0, arrowwidth: 1, standoff: 4, arrowcolor: colours(s),
  font: { size: 12, color: look()[0] },
});
