"use strict";
(() => {
  const { families, hovers, facets, looks, spots } = JSON.parse(document.getElementById("chart-data").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const narrow = window.matchMedia("(max-width: 40rem)");
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // ---- What is chosen: of each facet the values that are not to be seen, and the axes.

  const hidden = facets.map(() => new Set());
  const axes = { x: "", y: "" };
  const IMPLEMENTATION = 0;

  // A facet that is not told, -1, hides nothing.
  const passes = (places) => places.every((place, facet) => !hidden[facet].has(place));
  const shows = (implementation) => !hidden[IMPLEMENTATION].has(implementation);
  const places = (mark) => mark.split(",").map(Number);

  // ---- Charts

  const colours = (each) => looks[each.look][dark.matches ? 1 : 0];
  const kept = (series) => {
    const at = series.x.map((_, i) => i).filter((i) => !series.facets.length || passes(spots[series.facets[i]]));
    const pick = (values) => (values.length ? at.map((i) => values[i]) : []);
    return { ...series, x: pick(series.x), y: pick(series.y), low: pick(series.low), high: pick(series.high), hover: pick(series.hover) };
  };
  const seriesOf = (chart) =>
    passes(chart.facets) ? chart.series.filter((s) => shows(s.of)).map(kept).filter((s) => s.x.length) : [];
  const tilesOf = (chart) => (passes(chart.facets) ? chart.tiles.filter((t) => shows(t.of)) : []);
  const isEmpty = (chart) => !(chart.tiles ? tilesOf(chart) : seriesOf(chart)).length;
  const sorted = (values) => [...new Set(values)].sort((a, b) => a - b);

  // A size without a figure breaks a line: nothing is drawn that was not measured. Points may be several at one size.
  const trace = (sizes) => (series) => {
    const colour = colours(series);
    const xs = series.drawn === "line" ? sizes : series.x;
    const at = (values) => (series.drawn === "line" ? xs.map((size) => values[series.x.indexOf(size)] ?? null) : values);
    const told = series.hover.length > 0;
    return {
      type: "scatter", connectgaps: false, name: series.name, legendrank: series.of < 0 ? 2 : 1,
      mode: { line: "lines+markers", points: "markers", bare: "lines" }[series.drawn],
      x: xs, y: at(series.y), hoverinfo: told ? "text" : "x+y+name",
      hovertext: told ? at(series.hover.map((i) => hovers[i])).map((text) => text ?? "") : undefined,
      line: { color: colour, width: 2, dash: looks[series.look][3] },
      marker: { color: colour, size: 9, symbol: looks[series.look][2] },
      error_y: series.low.length ? {
        type: "data", symmetric: false, color: colour, thickness: 1.2, width: 4,
        array: at(series.high.map((high, i) => high - series.y[i])),
        arrayminus: at(series.low.map((low, i) => series.y[i] - low)),
      } : { visible: false },
    };
  };

  // One bar a tile, so that each name has its colour, its hatching and its place in the legend.
  const tiles = (xs, ys, paper) => (own) => ({
    type: "bar", name: own.name, width: 0.96, textposition: "inside", insidetextanchor: "middle",
    constraintext: "both", textangle: 0, hoverinfo: own.hover.length ? "text" : "name",
    x: own.x.map((x) => xs.indexOf(x)), base: own.y.map((y) => ys.indexOf(y) - 0.48), y: own.y.map(() => 0.96),
    text: own.undecided.map((open) => (open ? `${own.name} ?` : own.name)),
    hovertext: own.hover.map((i) => hovers[i]),
    textfont: { color: own.undecided.map((open) => (open ? (dark.matches ? "#ffffff" : "#1f2328") : paper)) },
    marker: {
      color: colours(own), opacity: 1, line: { width: 0 },
      pattern: {
        shape: own.undecided.map((open) => (open ? "/" : "")), fillmode: "replace", solidity: 0.25, size: 9,
        bgcolor: paper, fgcolor: colours(own),
      },
    },
  });

  const typed = (axis, values, log) => {
    const wanted = axes[axis] ? axes[axis] === "log" : log;
    return wanted && values.every((value) => value > 0) ? "log" : "linear";
  };

  const look = () => dark.matches ? ["#e6e9ed", "#343b45", "#14171c"] : ["#1f2328", "#d8dce1", "#ffffff"];
  const common = () => {
    const [ink, rule, paper] = look();
    return {
      paper_bgcolor: paper, plot_bgcolor: paper, font: { color: ink, size: 13 },
      height: narrow.matches ? 400 : 416, hovermode: "closest",
      margin: { l: 64, r: narrow.matches ? 12 : 40, t: 12, b: 52 }, showlegend: true,
      modebar: { orientation: "v", bgcolor: "transparent", color: rule, activecolor: ink },
      legend: { orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom", font: { size: 12 } },
      hoverlabel: { align: "left", bgcolor: paper, bordercolor: rule, font: { color: ink } },
    };
  };
  const axisOf = () => ({ gridcolor: look()[1], linecolor: look()[1], zeroline: false, fixedrange: narrow.matches });
  const marked = (values) => ({
    tickmode: "array", tickvals: values, ticktext: values.map(String),
    tickangle: values.length > 6 && narrow.matches ? -60 : 0,
  });

  // Plain numbers; on a logarithmic axis at 1, 2 and 5 where they are few, else at 1, and freely where it is short.
  const evenly = (type, values) => {
    const over = Math.max(...values) / Math.min(...values);
    return { tickformat: "~r", ...(type === "log" && over >= 4 ? { dtick: over < 300 ? "D2" : 1 } : {}) };
  };

  const layout = (chart, series, sizes) => {
    const values = series.flatMap((s) => [...s.y, ...s.low]);
    const across = series.flatMap((s) => s.x);
    const x = typed("x", across, chart.logX);
    const y = typed("y", values, chart.logY);
    return {
      ...common(), uirevision: `${x} ${y}`,
      xaxis: { ...axisOf(), title: { text: chart.x }, type: x, ...(chart.ticks ? marked(sizes) : evenly(x, across)) },
      yaxis: {
        ...axisOf(), title: { text: chart.y }, type: y, ...evenly(y, values),
        rangemode: y === "log" ? "normal" : "tozero",
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

  // The bar stands in a margin of its own; a narrow page has none to spare, and cannot be zoomed. Its buttons are
  // named one by one: the library has others, which send a chart to its makers.
  const settings = () => ({
    responsive: true, displaylogo: false, displayModeBar: narrow.matches ? false : "hover",
    modeBarButtons: [["resetScale2d", "zoom2d", "pan2d"], ["toImage"]],
  });

  const boxes = all("[data-family]");
  const selectOf = (place) => place.closest("figure").querySelector("select");
  const chosen = (place) => families[place.dataset.family][Number(selectOf(place)?.value ?? 0)];

  const draw = (place) => {
    const chart = chosen(place);
    place.setAttribute("aria-label", chart.alt);
    place.parentElement.querySelector(".note").textContent = chart.note;
    if (chart.tiles) {
      const [xs, ys] = ["x", "y"].map((axis) => sorted(chart.tiles.flatMap((t) => t[axis])));
      Plotly.react(place, tilesOf(chart).map(tiles(xs, ys, look()[2])), mapLayout(chart, xs, ys), settings());
      return;
    }
    const series = seriesOf(chart);
    const marks = series.filter((s) => s.drawn !== "bare");
    const sizes = chart.sizes.length ? chart.sizes : sorted((marks.length ? marks : series).flatMap((s) => s.x));
    Plotly.react(place, series.map(trace(sizes)), layout(chart, series, sizes), settings());
  };

  // Only what comes near the window is drawn; a chart that is not up to date is drawn when it does.
  const near = new Set();
  const stale = new Set(boxes);
  const drawStale = (wanted) => {
    for (const place of stale) {
      if (!wanted(place) || place.closest("figure").hidden) continue;
      stale.delete(place);
      draw(place);
    }
  };
  const drawNear = () => drawStale((place) => near.has(place));
  const redraw = (some = boxes) => { some.forEach((place) => stale.add(place)); drawNear(); };
  const watch = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) near[isIntersecting ? "add" : "delete"](target);
    drawNear();
  }, { rootMargin: "400px" });
  // The words and tables can be read before the first chart is drawn.
  const begin = () => boxes.forEach((place) => watch.observe(place));
  if (document.readyState === "complete") begin(); else window.addEventListener("load", begin, { once: true });
  const drawAll = () => drawStale(() => true);
  window.addEventListener("beforeprint", drawAll);
  window.matchMedia("print").addEventListener("change", ({ matches }) => matches && drawAll());
  dark.addEventListener("change", () => redraw());
  narrow.addEventListener("change", () => redraw());

  const choose = (select, label) => {
    const option = [...select.options].find((each) => each.text === label && !each.disabled);
    if (!option || option.selected) return;
    option.selected = true;
    redraw(all("[data-family]", select.closest("figure")));
  };
  for (const select of all("select[data-for]")) {
    select.addEventListener("change", () => {
      const label = select.selectedOptions[0].text;
      redraw(all("[data-family]", select.closest("figure")));
      for (const each of all("select[data-for]", select.closest("section"))) choose(each, label);
    });
  }

  // A figure shows a chart of its family that the filters leave something of, or nothing at all.
  const fit = (place) => {
    const select = selectOf(place);
    const family = families[place.dataset.family];
    const open = family.map((chart) => !isEmpty(chart));
    place.closest("figure").hidden = !open.includes(true);
    if (!select) return;
    [...select.options].forEach((option, i) => { option.disabled = option.hidden = !open[i]; });
    if (select.selectedOptions[0]?.disabled && open.includes(true)) select.value = String(open.indexOf(true));
  };

  // ---- Tables. A number is sorted by its data-v, which is none where nothing was measured.

  const valueOf = (row, column) => {
    const { dataset, textContent } = row.cells[column];
    if (dataset.v === undefined) return textContent;
    return dataset.v === "none" ? NaN : Number(dataset.v);
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
        const keyed = [...body.rows].map((row) => [valueOf(row, column), row]).sort(([a], [b]) => compare(a, b));
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
  // A table without a row, or without a column of an implementation, would be a bare heading.
  const tellEmpty = (table) => {
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
    const said = document.querySelector(`[data-filter="${table.id}"]`)?.closest("p").querySelector("[role=status]");
    if (said) said.textContent = count < rows.length ? `${count} of ${rows.length} rows` : "";
    tellEmpty(table);
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
  for (const field of all("[data-filter]")) {
    field.addEventListener("input", () => sift(document.getElementById(field.dataset.filter)));
  }

  // ---- The controls, and the address that keeps what they say

  const controls = document.getElementById("filters");
  const form = controls.querySelector("form");
  const facetBoxes = all("[data-facet]", form);
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
    const said = new URLSearchParams();
    for (const box of facetBoxes) {
      const [name, values] = facets[Number(box.dataset.facet)];
      if (!all("input", box).some((input) => !input.checked)) continue;
      const on = all("input:checked", box).map((input) => values[Number(input.value)]);
      (on.length ? on : [""]).forEach((value) => said.append(name, value));
    }
    Object.entries(axes).forEach(([axis, kind]) => kind && said.set(axis, kind));
    return said.toString();
  };
  const write = () => {
    const said = address();
    if (said || location.hash.startsWith("#?")) history.replaceState(null, "", `#${said ? `?${said}` : ""}`);
  };
  const recall = () => {
    if (!location.hash.startsWith("#?")) return false;
    const said = new URLSearchParams(location.hash.slice(2));
    for (const box of facetBoxes) {
      const [name, values] = facets[Number(box.dataset.facet)];
      const on = said.getAll(name);
      for (const input of all("input", box)) input.checked = !said.has(name) || on.includes(values[Number(input.value)]);
    }
    for (const select of all("[data-axis]", form)) {
      const kind = said.get(select.dataset.axis) ?? "";
      select.value = ["log", "linear"].includes(kind) ? kind : "";
    }
    return true;
  };
  const tell = () => {
    const figures = boxes.filter((place) => !place.closest("figure").hidden).length;
    const body = document.getElementById("all")?.tBodies[0];
    const rows = body ? [...body.rows] : [];
    const count = rows.filter((row) => !row.hidden).length;
    document.getElementById("shown").textContent =
      `${count} of ${rows.length} measurements, ${figures} of ${boxes.length} figures shown`;
  };
  const apply = () => {
    read();
    tables.forEach((table) => { hideColumns(table); sift(table); });
    boxes.forEach(fit);
    redraw();
    tell();
  };
  form.addEventListener("change", () => { apply(); write(); });
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
  controls.hidden = !facetBoxes.length && !boxes.length;
  spread();
  if (recall()) apply(); else { read(); tell(); }
})();
