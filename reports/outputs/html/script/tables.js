// ---- Tables. Numbers are sorted by data-v: "none" where there is no measurement, empty where it is the text.

const valueOf = ({ dataset, textContent }) => {
  if (dataset.v === undefined) return textContent;
  return dataset.v === "none" ? NaN : Number(dataset.v || textContent);
};
const words = new Intl.Collator("en", { numeric: true });
const compare = (a, b) => {
  if (typeof a === "string" || typeof b === "string") return words.compare(String(a), String(b));
  return (Number.isNaN(a) - Number.isNaN(b)) || (Number.isNaN(a) ? 0 : a - b);
};
const sortable = (table) => {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    head.querySelector("button")?.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of all("[aria-sort]", table.tHead)) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const keyed = [...body.rows].map((row) => [valueOf(row.cells[column]), row]).sort(([a], [b]) => compare(a, b));
      body.append(...(down ? keyed.reverse() : keyed).map(([, row]) => row));
    });
  });
};

const textOf = (row) =>
  [...row.cells].filter((cell) => cell.dataset.v === undefined && !cell.querySelector("details"))
    .map((cell) => cell.textContent).join(" ").toLowerCase();
const finding = (table) => {
  const field = document.querySelector(`[data-filter="${table.id}"]`);
  return (field?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
};
// A table without visible rows or implementation columns is hidden, with a note in its place.
const noteEmpty = (table) => {
  const columns = all("thead th[data-i]", table);
  const empty = ![...table.tBodies[0].rows].some((row) => !row.hidden) || (columns.length > 0 && columns.every((head) => head.hidden));
  const box = table.closest(".scroll");
  box.hidden = empty;
  if (empty === (box.nextElementSibling?.className === "note nothing")) return;
  if (!empty) { box.nextElementSibling.remove(); return; }
  box.insertAdjacentHTML("afterend", '<p class="note nothing">nothing matches the filters</p>');
};
const sift = (table) => {
  const wanted = finding(table);
  const rows = [...table.tBodies[0].rows];
  let count = 0;
  for (const row of rows) {
    const text = wanted.length ? textOf(row) : "";
    row.hidden = !(passes(places(row.dataset.f ?? "-1")) && wanted.every((word) => text.includes(word)));
    count += row.hidden ? 0 : 1;
  }
  const status = document.querySelector(`[data-filter="${table.id}"]`)?.closest("p").querySelector("[role=status]");
  if (status) status.textContent = count < rows.length ? `${count} of ${rows.length} rows` : "";
  noteEmpty(table);
};
const hideColumns = (table) => {
  all("thead th[data-i]", table).forEach((head) => {
    const off = !shows(Number(head.dataset.i));
    if (head.hidden === off) return;
    for (const row of table.rows) row.cells[head.cellIndex].hidden = off;
  });
};
const tables = all("main table");
all("table.sortable").forEach(sortable);
// The second column stays beside the first when a table scrolls sideways.
const firstColumns = new ResizeObserver((entries) => {
  for (const { target } of entries) target.closest("table").style.setProperty("--first", `${target.offsetWidth}px`);
});
all("table.sortable thead th:first-child").forEach((head) => firstColumns.observe(head));
for (const field of all("[data-filter]")) {
  field.addEventListener("input", () => sift(document.getElementById(field.dataset.filter)));
}
