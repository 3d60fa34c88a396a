"use strict";
(() => {
  const { families, hovers } = JSON.parse(document.getElementById("chart-data").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const narrow = window.matchMedia("(max-width: 40rem)");

  const sizesOf = (chart) => [...new Set(chart.series.flatMap((s) => s.x))].sort((a, b) => a - b);

  // A size without a figure breaks the line: nothing is drawn that was not measured.
  const trace = (sizes) => (series) => {
    const colour = series.colours[dark.matches ? 1 : 0];
    const at = (values) => sizes.map((size) => values[series.x.indexOf(size)] ?? null);
    const spread = series.low.length > 0;
    return {
      type: "scatter", mode: "lines+markers", connectgaps: false, name: series.name,
      x: sizes, y: at(series.y), hoverinfo: "text",
      hovertext: at(series.hover.map((i) => hovers[i])).map((text) => text ?? ""),
      line: { color: colour, width: 2, dash: series.line },
      marker: { color: colour, size: 9, symbol: series.marker },
      error_y: spread ? {
        type: "data", symmetric: false, color: colour, thickness: 1.2, width: 4,
        array: at(series.high.map((high, i) => high - series.y[i])),
        arrayminus: at(series.low.map((low, i) => series.y[i] - low)),
      } : { visible: false },
    };
  };

  const layout = (chart) => {
    const [ink, rule, paper] = dark.matches
      ? ["#e6e9ed", "#343b45", "#14171c"] : ["#1f2328", "#d8dce1", "#ffffff"];
    const sizes = sizesOf(chart);
    const values = chart.series.flatMap((s) => s.y);
    const few = Math.max(...values) < 300 * Math.min(...values);
    const axis = { gridcolor: rule, linecolor: rule, zeroline: false, fixedrange: narrow.matches };
    return {
      paper_bgcolor: paper, plot_bgcolor: paper, font: { color: ink, size: 13 },
      height: narrow.matches ? 400 : 416, uirevision: "kept", hovermode: "closest",
      margin: { l: 64, r: 12, t: 12, b: 52 }, showlegend: true,
      legend: { orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom" },
      hoverlabel: { align: "left", bgcolor: paper, bordercolor: rule, font: { color: ink } },
      xaxis: {
        ...axis, title: { text: chart.x }, type: chart.logX ? "log" : "linear",
        tickvals: sizes, ticktext: sizes.map(String), tickangle: sizes.length > 6 && narrow.matches ? -60 : 0,
      },
      yaxis: {
        ...axis, title: { text: chart.y }, type: chart.logY ? "log" : "linear", tickformat: "~r",
        rangemode: chart.logY ? "normal" : "tozero", ...(chart.logY ? { dtick: few ? "D2" : 1 } : {}),
      },
    };
  };

  const settings = {
    responsive: true, displaylogo: false,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
  };

  const draw = (place) => {
    const family = place.dataset.family;
    const chosen = document.querySelector(`select[data-for="${family}"]`);
    const chart = families[family][chosen ? Number(chosen.value) : 0];
    place.setAttribute("aria-label", chart.alt);
    place.parentElement.querySelector(".note").textContent = chart.note;
    Plotly.react(place, chart.series.map(trace(sizesOf(chart))), layout(chart), settings);
  };

  const places = [...document.querySelectorAll("[data-family]")];
  const drawAll = () => places.forEach(draw);
  drawAll();
  dark.addEventListener("change", drawAll);
  narrow.addEventListener("change", drawAll);
  const choose = (chosen, label) => {
    const option = [...chosen.options].find((each) => each.text === label);
    if (!option) return;
    option.selected = true;
    draw(document.querySelector(`[data-family="${chosen.dataset.for}"]`));
  };
  for (const chosen of document.querySelectorAll("select[data-for]")) {
    chosen.addEventListener("change", () => {
      const label = chosen.selectedOptions[0].text;
      for (const each of chosen.closest("section").querySelectorAll("select")) choose(each, label);
    });
  }

  // Columns with numbers carry them as data-value, empty where nothing was measured.
  const valueOf = (row, column) => {
    const { dataset, textContent } = row.cells[column];
    if (dataset.value === undefined) return textContent;
    return dataset.value === "" ? NaN : Number(dataset.value);
  };
  const compare = (a, b) => {
    if (typeof a === "string") return a.localeCompare(b, "en", { numeric: true });
    return (Number.isNaN(a) - Number.isNaN(b)) || a - b;
  };
  const sortable = (table) => {
    const body = table.tBodies[0];
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = head.querySelector("button");
      if (!button) return;
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of table.tHead.querySelectorAll("[aria-sort]")) other.setAttribute("aria-sort", "none");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...body.rows].sort((a, b) => compare(valueOf(a, column), valueOf(b, column)));
        body.append(...(down ? rows.reverse() : rows));
      });
    });
  };
  const textOf = (row) =>
    [...row.cells].filter((cell) => cell.matches(".words, th, .verdict") && !cell.querySelector("details"))
      .map((cell) => cell.textContent).join(" ").toLowerCase();
  const filtering = (field) => {
    const body = document.getElementById(field.dataset.filter).tBodies[0];
    const shown = field.closest("p").querySelector("[role=status]");
    field.addEventListener("input", () => {
      const wanted = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let count = 0;
      for (const row of body.rows) {
        const text = textOf(row);
        row.hidden = !wanted.every((word) => text.includes(word));
        count += row.hidden ? 0 : 1;
      }
      shown.textContent = wanted.length ? `${count} of ${body.rows.length} rows` : "";
    });
  };
  document.querySelectorAll("table.sortable").forEach(sortable);
  document.querySelectorAll("[data-filter]").forEach(filtering);
})();
