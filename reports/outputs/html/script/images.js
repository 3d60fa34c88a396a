// ---- Images of charts as they are: with the filters, the axes and the looks of the page

// Titles are texts of the page, which the chart library would interpret as markup.
const plain = (text) => text.replace(/[&<>$]/g, (character) => `&#${character.charCodeAt(0)};`);
const titleOf = (figure) => {
  const parts = all(".common", figure).map((part) => part.textContent);
  const under = [figure.querySelector("select")?.selectedOptions[0].text, ...parts].filter(Boolean).join("; ");
  return `<b>${plain(figure.querySelector("h2, h3").textContent)}</b><br><sup>${plain(under)}</sup>`;
};
const TITLE = 68;
const WIDTH = 900;
// The chart as on the page, below a title. A wider image has a legend of fewer lines.
const image = (figure, place) => {
  const width = Math.max(place.clientWidth, WIDTH);
  const legend = (place.querySelector(".legend .bg")?.getBBox().height ?? 0) * place.clientWidth / width;
  const top = TITLE + Math.max(legend, 24);
  const { margin } = place.layout;
  const height = place.layout.height + top;
  const title = { text: titleOf(figure), x: 16 / width, xanchor: "left", y: 1 - 24 / height, yanchor: "top", yref: "container", font: { size: 17 } };
  return { ...place.layout, autosize: false, width, height, title, margin: { ...margin, t: top, b: margin.b + 12 } };
};
for (const button of all(".png")) {
  button.addEventListener("click", async () => {
    const figure = button.closest("figure");
    const place = figure.querySelector("[data-family]");
    if (!place.data) draw(place);
    const layout = image(figure, place);
    const filename = `attnbench-${printButton.dataset.file}-${place.dataset.family.replaceAll("_", "-")}`;
    await Plotly.downloadImage({ data: place.data, layout }, { format: "png", filename, width: layout.width, height: layout.height, scale: 2 });
    announce(`${filename}.png: the chart as it is`);
  });
}
