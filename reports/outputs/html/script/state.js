const { families, hovers, facets, looks, spots } = JSON.parse(document.getElementById("chart-data").textContent);
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const narrow = window.matchMedia("(max-width: 40rem)");
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

// ---- State: the hidden values of each facet, and the axes.

const hidden = facets.map(() => new Set());
const axes = { x: "", y: "" };
const IMPLEMENTATION = 0;

// A facet without a value, -1, hides nothing.
const passes = (places) => places.every((place, facet) => !hidden[facet].has(place));
const shows = (implementation) => !hidden[IMPLEMENTATION].has(implementation);
const places = (mark) => mark.split(",").map(Number);
