// ---- Paper: charts take the width of a page, and then their own size again

const PAPER = { width: 680, height: 330 };
// A profile's charts with rows keep the height of their rows, up to most of a page.
const mostHigh = (place) => (place.matches(".rows") && document.querySelector(".profile") ? 840 : PAPER.height);
const onScreen = new Map();
const fitPaper = (place) => {
  const { width, height, autosize } = place.layout;
  onScreen.set(place, { width: width ?? null, height: height ?? null, autosize });
  Plotly.relayout(place, { width: PAPER.width, height: Math.min(height ?? PAPER.height, mostHigh(place)), autosize: false });
};
const fitScreen = (place) => Plotly.relayout(place, onScreen.get(place));
window.matchMedia("print").addEventListener("change", ({ matches }) => {
  if (matches) boxes.filter((place) => place.data).forEach(fitPaper);
  else { [...onScreen.keys()].forEach(fitScreen); onScreen.clear(); }
});
