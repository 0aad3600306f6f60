// One entry a page in the browser's history. Streamlit adds one whenever the URL's parameters change, so that Back would
// lead through every filter and window that was looked at.
const push = history.pushState.bind(history);
history.pushState = (state, unused, url) => {
  const to = new URL(url ?? location.href, location.href);
  (to.pathname === location.pathname ? history.replaceState.bind(history) : push)(state, unused, url);
};
