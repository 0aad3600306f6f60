// How a viewer lives in its element: made once, given what is new, and taken down when its page is gone.

const GONE_MS = 1000; // only then is it looked at whether the element has left the page, and its chart with it

/** What Streamlit calls with new data; it gives back what ends the viewer. */
export function mounted(Kind) {
  return ({ parentElement, data, setStateValue }) => {
    const viewer = (parentElement.viewer ??= new Kind(parentElement));
    viewer.update(data, setStateValue);
    const end = viewer.keys();
    const pressed = () => viewer.pause();
    document.addEventListener("pointerdown", pressed, true);
    return () => {
      end();
      document.removeEventListener("pointerdown", pressed, true);
      setTimeout(() => {
        if (!(parentElement.host ?? parentElement).isConnected) viewer.chart?.remove();
      }, GONE_MS);
    };
  };
}
