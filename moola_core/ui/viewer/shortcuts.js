// The list of keys in a dialog of the browser's own: it opens at once, and Escape closes it.
import { button, make } from "./chart.js";
import { listen } from "./keys.js";

function build(root, groups) {
  const rows = Object.entries(groups).flatMap(([page, keys]) => [
    make("tr", {}, make("th", { scope: "rowgroup", colspan: "2", text: page })),
    ...keys.map(([key, does]) => make("tr", {}, make("th", { scope: "row" }, make("kbd", { text: key })), make("td", { text: does }))),
  ]);
  const dialog = make("dialog", { "aria-labelledby": "title" }, make("h2", { id: "title", text: "Shortcuts" }),
    make("table", {}, make("tbody", {}, ...rows)), button("Close", () => dialog.close()));
  root.append(make("div", { class: "viewer" }, button("Shortcuts", () => open(dialog), "?"), dialog));
  return dialog;
}

function open(dialog) {
  if (!dialog.open) dialog.showModal();
}

export default function ({ parentElement, data }) {
  const dialog = (parentElement.dialog ??= build(parentElement, data.groups));
  return listen({ "?": () => open(dialog) });
}
