// ---- Copies and files: commands, the table of measurements

const announced = document.getElementById("announced");
let announcement;
const announce = (text) => {
  announced.textContent = text;
  clearTimeout(announcement);
  announcement = setTimeout(() => { announced.textContent = ""; }, 8000);
};

// A folded or abbreviated text in full.
const wholeText = (element) => {
  const copy = element.cloneNode(true);
  copy.querySelector("summary")?.remove();
  return (copy.querySelector("[title]")?.title ?? copy.textContent).trim();
};

// A page from a disk may be no secure context, and then has no clipboard; the older way works there.
const copySelected = (text) => {
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  return copied;
};
const copied = (text) => {
  if (!navigator.clipboard) return Promise.resolve(copySelected(text));
  return navigator.clipboard.writeText(text).then(() => true, () => copySelected(text));
};
// The command that profiles a row is made of the one that repeats it, and of the baseline of its verdict.
const profiling = (command, against) =>
  command.replace("run_bench.py run ", "run_bench.py profile ").replace(" --impl ", " ").replace(/ --tail(?= |$)/, "") + against;
for (const table of all("[data-against]")) {
  const options = JSON.parse(table.dataset.against);
  for (const row of all("tr[data-p]", table)) {
    const first = row.lastElementChild.querySelector("details");
    const added = document.createElement("details");
    added.append(Object.assign(document.createElement("summary"), { textContent: "profile" }), profiling(wholeText(first), options[row.dataset.p]));
    first.after(added);
  }
}
const copyButton = Object.assign(document.createElement("button"), { type: "button", className: "copy", textContent: "Copy" });
for (const command of all(".repeated td:last-child > details, .command > pre")) command.before(copyButton.cloneNode(true));
document.addEventListener("click", async ({ target }) => {
  const button = target.closest?.(".copy");
  if (!button) return;
  const command = wholeText(button.nextElementSibling);
  const done = await copied(command);
  button.focus({ preventScroll: true });
  announce(done ? `Copied: ${command}` : "Not copied: this browser refuses it. Open the command, select it and copy it.");
});

const printButton = document.getElementById("print");
const save = (name, type, text) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
};
// A number is the one its cell is sorted by; null where nothing was measured.
const figureOf = (cell) => {
  const value = valueOf(cell);
  if (Number.isNaN(value)) return null;
  return typeof value === "number" ? value : wholeText(cell);
};
const measured = (id) => {
  const table = document.getElementById(id);
  const heads = [...table.tHead.rows[0].cells];
  const rows = [...table.tBodies[0].rows];
  const shown = rows.filter((row) => !row.hidden);
  const asObject = (row) => Object.fromEntries(heads.map((head, i) => [
    head.dataset.name ?? "command",
    head.dataset.name ? figureOf(row.cells[i]) : wholeText(row.cells[i].querySelector("details")),
  ]));
  return [shown.map(asObject), rows.length];
};
// A spreadsheet would run a text that begins like a formula.
const quoted = (value) => {
  if (value === null) return "";
  if (typeof value === "number") return String(value);
  return `"${value.replace(/^\s*[=+@-]/, "'$&").replaceAll('"', '""')}"`;
};
const asCsv = (rows) =>
  [Object.keys(rows[0] ?? {}), ...rows.map(Object.values)].map((row) => `${row.map(quoted).join(",")}\n`).join("");
const formats = {
  csv: ["text/csv", asCsv],
  json: ["application/json", (rows) => `${JSON.stringify(rows, null, 1)}\n`],
};
for (const button of all("[data-download]")) {
  button.addEventListener("click", () => {
    const kind = button.dataset.download;
    const [type, format] = formats[kind];
    const [rows, count] = measured(button.dataset.of);
    const name = `attnbench-${button.dataset.file}.${kind}`;
    save(name, type, format(rows));
    announce(`${name}: ${rows.length} of ${count} measurements`);
  });
}

printButton.addEventListener("click", () => window.print());
