// Draws each figure that one can point at, from the JSON beside it, in the colours of the page.
document.addEventListener("DOMContentLoaded", () => {
  for (const place of document.querySelectorAll("div.hover")) {
    const { data, layout } = JSON.parse(place.querySelector("script").textContent);
    const colour = getComputedStyle(place).color;
    layout.font = { color: colour };
    layout.paper_bgcolor = layout.plot_bgcolor = "transparent";
    Plotly.newPlot(place, data, layout, { responsive: true, displayModeBar: false });
  }
});
