const figures = JSON.parse(document.getElementById("figures").textContent);
(async () => {
  for (const [name, figure] of Object.entries(figures)) {
    const size = { format: "png", width: figure.width, height: figure.layout.height, scale: 2 };
    const source = await Plotly.toImage({ data: figure.data, layout: figure.layout }, size);
    const picture = document.createElement("img");
    picture.dataset.picture = name;
    picture.src = source;
    document.body.append(picture);
  }
})();
