// Previous and Next, by click or by the arrow keys. What is sent is a count of all steps since the component was drawn
// first, so that a step is kept when several are made while the server still draws an earlier one.
const TYPING = ["text", "number", "search", "email", "url", "tel", "password", "date", "time", "range", "radio"];

function isForUs(event) {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.defaultPrevented) return false;
  return !event.composedPath().some((place) => {
    if (!(place instanceof HTMLElement)) return false;
    const tag = place.tagName;
    return (
      (tag === "INPUT" && TYPING.includes(place.type)) ||
      tag === "TEXTAREA" || tag === "SELECT" || place.isContentEditable ||
      ["slider", "listbox", "option", "menu", "grid", "tablist", "radiogroup", "dialog"].includes(place.role)
    );
  });
}

export default function ({ parentElement, setStateValue }) {
  const steps = (parentElement.steps ??= { drawn: `${Date.now()} ${Math.random()}`, net: 0 });
  const step = (by) => {
    steps.net += by;
    setStateValue("steps", { drawn: steps.drawn, net: steps.net });
  };
  const pressed = (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by && isForUs(event)) {
      event.preventDefault();
      step(by);
    }
  };
  for (const [name, by] of [["previous", -1], ["next", 1]]) {
    const button = parentElement.querySelector(`[name=${name}]`);
    button.onclick = () => step(by);
    button.disabled = false;
  }
  document.addEventListener("keydown", pressed);
  return () => document.removeEventListener("keydown", pressed);
}
