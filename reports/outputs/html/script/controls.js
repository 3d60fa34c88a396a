// ---- Controls, and the address, which stores their state

const controls = document.getElementById("filters");
const form = controls.querySelector("form");
const facetBoxes = all("[data-facet]", form);
const printAll = document.getElementById("print-all");
const spread = () => { controls.open = !narrow.matches; };

const read = () => {
  for (const box of facetBoxes) {
    const off = all("input", box).filter((input) => !input.checked);
    hidden[Number(box.dataset.facet)] = new Set(off.map((input) => Number(input.value)));
    box.querySelector(".count").textContent = off.length ? ` ${all("input", box).length - off.length} of ${all("input", box).length}` : "";
  }
  for (const select of all("[data-axis]", form)) axes[select.dataset.axis] = select.value;
};
const address = () => {
  const query = new URLSearchParams();
  for (const box of facetBoxes) {
    const [name, values] = facets[Number(box.dataset.facet)];
    if (!all("input", box).some((input) => !input.checked)) continue;
    const on = all("input:checked", box).map((input) => values[Number(input.value)]);
    (on.length ? on : [""]).forEach((value) => query.append(name, value));
  }
  Object.entries(axes).forEach(([axis, kind]) => kind && query.set(axis, kind));
  if (printAll.checked) query.set("print", "all");
  return query.toString();
};
const write = () => {
  const query = address();
  if (query || isState()) history.replaceState(null, "", `#${query ? `?${query}` : ""}`);
};
const isState = () => location.hash.startsWith("#?") || location.hash === "#print=all";
const recall = () => {
  if (!isState()) return false;
  const query = new URLSearchParams(location.hash.replace(/^#\??/, ""));
  printAll.checked = query.get("print") === "all";
  for (const box of facetBoxes) {
    const [name, values] = facets[Number(box.dataset.facet)];
    const on = query.getAll(name);
    for (const input of all("input", box)) input.checked = !query.has(name) || on.includes(values[Number(input.value)]);
  }
  for (const select of all("[data-axis]", form)) {
    const kind = query.get(select.dataset.axis) ?? "";
    select.value = ["log", "linear"].includes(kind) ? kind : "";
  }
  return true;
};
const updateCounts = () => {
  const figures = boxes.filter((place) => !place.closest("figure").hidden).length;
  const rows = all("table.all").flatMap((table) => [...table.tBodies[0].rows]);
  const count = rows.filter((row) => !row.hidden).length;
  const measured = rows.length ? `${count} of ${rows.length} measurements, ` : "";
  document.getElementById("shown").textContent = `${measured}${figures} of ${boxes.length} figures shown`;
};
const apply = () => {
  read();
  tables.forEach((table) => { hideColumns(table); sift(table); });
  boxes.forEach(fit);
  redraw();
  updateCounts();
};
form.addEventListener("change", () => { apply(); write(); });
printAll.addEventListener("change", write);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(() => { apply(); write(); }));
for (const box of facetBoxes) {
  box.addEventListener("toggle", () => {
    if (box.open) facetBoxes.filter((other) => other !== box).forEach((other) => { other.open = false; });
  });
}
document.addEventListener("click", ({ target }) => {
  facetBoxes.filter((box) => !box.contains(target)).forEach((box) => { box.open = false; });
});
document.addEventListener("keydown", ({ key }) => {
  if (key === "Escape") facetBoxes.filter((box) => box.open).forEach((box) => { box.open = false; box.querySelector("summary").focus(); });
});
window.addEventListener("hashchange", () => { if (recall()) apply(); });
narrow.addEventListener("change", spread);
// Headings land below the bar of filters, whose height depends on the window.
new ResizeObserver(() => {
  const bar = getComputedStyle(controls).position === "sticky" ? controls.offsetHeight : 0;
  document.documentElement.style.setProperty("--bar", `${bar}px`);
}).observe(controls);
controls.hidden = !facetBoxes.length && !form.querySelector("[data-axis]");
spread();
if (recall()) apply(); else { read(); updateCounts(); }
