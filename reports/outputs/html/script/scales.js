// ---- Axes of charts: types, ranges and ticks

const look = () => dark.matches ? ["#e6e9ed", "#343b45", "#14171c"] : ["#1f2328", "#d8dce1", "#ffffff"];
const typed = (axis, values, log) => {
  const wanted = axes[axis] ? axes[axis] === "log" : log;
  return wanted && values.every((value) => value > 0) ? "log" : "linear";
};

// A place on an axis: the value, or its logarithm.
const placeOf = (type, value) => (type === "log" ? Math.log10(value) : value);
const PADDING = 0.07;
// From the smallest to the largest value with a margin, so that no point lies on another axis.
const rangeOf = (type, values) => {
  const places = values.filter((value) => type !== "log" || value > 0).map((value) => placeOf(type, value));
  const low = places.reduce((one, other) => Math.min(one, other), Infinity);
  const high = places.reduce((one, other) => Math.max(one, other), -Infinity);
  if (!places.length) return undefined;
  const room = PADDING * (high - low) || (type === "log" ? 0.3 : 1);
  return [low - room, high + room];
};
// The value, or the end of the range that the axis of the chart shows.
const inside = (chart, value) => (chart.clip ? Math.min(Math.max(value, chart.clip[0]), chart.clip[1]) : value);

const axisOf = () => ({ gridcolor: look()[1], linecolor: look()[1], zeroline: false, fixedrange: narrow.matches });
// Ticks at the values; a chart without numbers on its x axis has names for the places 0, 1, ...
const marked = (values, names) => ({
  tickmode: "array", tickvals: values, ticktext: values.map((value) => names[value] ?? String(value)),
  tickangle: values.length > 6 && narrow.matches ? -60 : 0,
});
// Ticks with plain numbers; on a logarithmic axis at 1, 2 and 5, at powers of 10 if it is long, automatic if short.
const evenly = (type, values) => {
  const over = Math.max(...values) / Math.min(...values);
  return { tickformat: "~r", ...(type === "log" && over >= 4 ? { dtick: over < 300 ? "D2" : 1 } : {}) };
};
