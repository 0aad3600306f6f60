// Keys that are pressed anywhere on the page but where something is typed or a control reads keys itself.
const TYPING = ["text", "number", "search", "email", "url", "tel", "password", "date", "time", "range", "radio"];
const READING_KEYS = ["slider", "listbox", "option", "menu", "grid", "tablist", "radiogroup", "dialog", "combobox"];

export function isForPage(event) {
  if (event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented) return false;
  return !event.composedPath().some((place) => {
    if (!(place instanceof HTMLElement)) return false;
    const tag = place.tagName;
    return (
      (tag === "INPUT" && TYPING.includes(place.type)) ||
      tag === "TEXTAREA" || tag === "SELECT" || tag === "DIALOG" || place.isContentEditable ||
      READING_KEYS.includes(place.getAttribute("role"))
    );
  });
}

/** Call `actions[key]()` for keys as `event.key` names them; returns what ends that. */
export function listen(actions) {
  const pressed = (event) => {
    const action = Object.hasOwn(actions, event.key) ? actions[event.key] : null;
    if (!action || !isForPage(event)) return;
    event.preventDefault();
    action();
  };
  document.addEventListener("keydown", pressed);
  return () => document.removeEventListener("keydown", pressed);
}
