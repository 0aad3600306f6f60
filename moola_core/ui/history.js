// One entry a page in the browser's history. Streamlit adds one whenever the URL's parameters change, so that Back would
// lead through every filter and window that was looked at.
const push = history.pushState.bind(history);
const SOON_MS = 300;
let before = location.href, changed = -SOON_MS;
history.pushState = (state, unused, url) => {
  const to = new URL(url ?? location.href, location.href);
  const soon = performance.now() - changed < SOON_MS;
  if (to.pathname === location.pathname) {
    if (!soon) before = location.href;
    changed = performance.now();
    history.replaceState(state, unused, url);
  } else {
    // The parameters of a page that opens may come before its address: then they are not those of the page that is left.
    if (soon) history.replaceState(history.state, "", before);
    changed = -SOON_MS;
    push(state, unused, url);
  }
};
