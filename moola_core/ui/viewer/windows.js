// The viewer of labelled windows. It steps by itself through what it holds, so that a press costs no answer of the server; the server
// hears where it stands when the keys are at rest, and sends the windows around that place.
import {
  AreaSeries, Bands, CandlestickSeries, Clock, HistogramSeries, address, button, candleOptions, candlesOf, createSeriesMarkers, faded, floats,
  integers, make, startChart, zoomBy,
} from "./chart.js";
import { listen } from "./keys.js";
import { mounted } from "./mounted.js";

const AT_REST_MS = 400, PAUSE_MS = 2000, AHEAD = 40, PRICES_PIXELS = 380, SCORES_PIXELS = 140, ROW_PIXELS = 17, MARGIN_BARS = 2, APART_BARS = 8;
const JUMPS = [["w", "wrong", 1], ["u", "unsure", 2], ["d", "far", 4]];
const EDITS_KEPT = 100;
const minus = (text) => text.replace("-", "−");
const fixed = (value, digits = 1) => (Number.isFinite(value) ? minus(value.toFixed(digits)) : "–");

class Viewer {
  constructor(root) {
    this.root = root;
    this.drawn = `${Date.now()} ${Math.random()}`;
    this.held = new Map(); // place in the order to the window's data
    this.edits = [];
    this.edited = new Map(); // window id to [flagged, comment], before the server has them
    this.count = 0;
    this.at = 0;
    this.build();
  }

  build() {
    this.place = make("span", { class: "place", role: "status" });
    this.flagged = button("Flag", () => this.flag(), "f");
    this.comment = make("input", { type: "text", maxlength: "500", onchange: () => this.edit({ comment: this.comment.value.trim() }) });
    this.jumps = JUMPS.map(([key, name, bit]) => {
      const made = button(`Next ${name}`, () => this.jump(bit, 1), key);
      made.dataset.bit = bit;
      return made;
    });
    this.bar = make("div", { class: "bar", role: "toolbar", "aria-label": "Steps through the windows" },
      button("Previous", () => this.step(-1), "←"), button("Next", () => this.step(1), "→"), this.place, ...this.jumps, this.flagged,
      button("+", () => zoomBy(this.chart, 0.7), "", "Zoom in"), button("−", () => zoomBy(this.chart, 1.4), "", "Zoom out"),
      button("Whole window", () => this.whole(), "0"));
    this.pointed = make("p", { class: "pointed" });
    this.axis = make("p", { class: "axis" });
    this.canvas = make("div", { class: "chart", role: "figure" });
    this.strips = make("canvas", { class: "strips", role: "img" });
    this.legend = make("ul", { class: "legend" });
    this.facts = make("div");
    const aside = make("div", { class: "facts" }, this.facts, make("label", { text: "Comment" }, this.comment));
    this.root.append(make("div", { class: "viewer" }, this.bar, make("div", { class: "body" },
      make("div", { class: "left" }, this.pointed, this.axis, this.canvas, this.strips, this.legend), aside)));
    this.strips.onmousemove = (event) => this.pointAtStrip(event);
  }

  /** New data of the server: other windows, another order, or the same again. */
  update(data, say) {
    this.say = say;
    const before = this.data;
    this.data = data;
    this.clock = data.zone === before?.zone ? this.clock : new Clock(data.zone);
    if (data.content !== before?.content) this.held.clear();
    data.windows.forEach((one, i) => this.held.set(data.first + i, one));
    if (data.load !== before?.load) {
      this.at = data.at;
      this.told = data.at;
      this.asked = null;
    }
    this.root.querySelector(".viewer").style.setProperty("--muted", data.colours.muted);
    this.ensureChart(before);
    this.show();
  }

  ensureChart(before) {
    const { data } = this;
    if (this.chart && before.appearance === data.appearance && before.scores === data.scores && before.decimals === data.decimals) return;
    const range = this.chart?.timeScale().getVisibleLogicalRange();
    this.chart?.remove();
    this.canvas.style.height = `${PRICES_PIXELS + (data.scores ? SCORES_PIXELS : 0)}px`;
    this.chart = startChart(this.canvas, data.colours, {
      time: (time) => this.timeOf(time),
      tick: (time, type) => (this.now?.seconds ? this.clock.tick(time, type) : `bar ${time / 60}`),
    });
    this.candles = this.chart.addSeries(CandlestickSeries, candleOptions(data.colours, data.decimals));
    this.bands = new Bands();
    this.bands.paper = data.colours.paper;
    this.candles.attachPrimitive(this.bands);
    this.markers = createSeriesMarkers(this.candles, []);
    this.scores = data.scores ? this.addScores() : null;
    this.chart.subscribeCrosshairMove((event) => this.pointAt(event.logical));
    this.chart.timeScale().subscribeVisibleLogicalRangeChange(() => this.drawStrips());
    this.zoom = range ? this.zoom : null;
  }

  addScores() {
    const { colours } = this.data;
    const plain = { lastValueVisible: false, priceLineVisible: false, crosshairMarkerVisible: false, priceFormat: { type: "price", precision: 2, minMove: 0.01 } };
    const autoscaleInfoProvider = () => ({ priceRange: { minValue: 0, maxValue: 1 } });
    const inside = this.chart.addSeries(AreaSeries, {
      ...plain, autoscaleInfoProvider, lineColor: colours.predicted, lineWidth: 1, topColor: faded(colours.predicted, 0.25), bottomColor: faded(colours.predicted, 0.1),
    }, 1);
    const start = this.chart.addSeries(HistogramSeries, { ...plain, autoscaleInfoProvider, color: colours.start }, 1);
    const end = this.chart.addSeries(HistogramSeries, { ...plain, autoscaleInfoProvider, color: colours.end }, 1);
    const panes = this.chart.panes();
    panes[0].setStretchFactor(PRICES_PIXELS);
    panes[1].setStretchFactor(SCORES_PIXELS);
    this.runnersUp = new Bands();
    inside.attachPrimitive(this.runnersUp);
    return { inside, start, end };
  }

  step(by) {
    this.go((this.at + by + this.data.total) % this.data.total);
  }

  go(place) {
    this.at = place;
    this.show();
    clearTimeout(this.resting);
    const edge = Math.min(this.data.total - 1, Math.max(0, place + AHEAD)), other = Math.max(0, place - AHEAD);
    if (this.held.has(place) && this.held.has(edge) && this.held.has(other)) this.resting = setTimeout(() => this.tell(), AT_REST_MS);
    else if (this.asked === null || Math.abs(this.asked - place) >= AHEAD / 2) this.ask();
    else this.resting = setTimeout(() => this.tell(), AT_REST_MS);
  }

  ask() {
    this.asked = this.at;
    this.tell();
  }

  name() {
    if (this.now) address("window", this.now.id);
  }

  /** A click may lead to another page. A report while that one opens would run a part of this page in its place. */
  pause() {
    this.name();
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.tell(), PAUSE_MS);
  }

  tell() {
    if (this.told === this.at || !(this.root.host ?? this.root).isConnected) return;
    this.told = this.at;
    this.name();
    this.say("shown", { load: this.data.load, at: this.at });
  }

  /** To the next window with the mark, or back to the one before; around the end. */
  jump(bit, way) {
    const { marks, total } = this.data;
    for (let by = 1; by <= total; by++) {
      const place = (((this.at + way * by) % total) + total) % total;
      if (parseInt(marks[place], 16) & bit) return this.go(place);
    }
  }

  flag() {
    this.edit({ flagged: !this.noted()[0] });
  }

  noted() {
    return this.edited.get(this.now?.id) ?? this.data.flags[this.now?.id] ?? [false, ""];
  }

  edit(change) {
    if (!this.now) return;
    const [flagged, comment] = this.noted();
    const note = { flagged, comment, ...change };
    this.edited.set(this.now.id, [note.flagged, note.comment]);
    this.count += 1;
    this.edits = [...this.edits, [this.count, this.now.id, note.flagged, note.comment]].slice(-EDITS_KEPT);
    this.say("edits", { drawn: this.drawn, list: this.edits });
    this.showNote();
  }

  showNote() {
    const [flagged, comment] = this.noted();
    this.flagged.setAttribute("aria-pressed", String(flagged));
    this.flagged.firstChild.textContent = flagged ? "Flagged" : "Flag";
    if (!this.comment.matches(":focus")) this.comment.value = comment;
  }

  show() {
    const { data } = this, one = this.held.get(this.at);
    this.place.textContent = `Window ${(this.at + 1).toLocaleString("en")} of ${data.total.toLocaleString("en")}`;
    this.root.querySelector(".viewer").dataset.at = this.at;
    for (const made of this.jumps) made.disabled = ![...data.marks].some((mark) => parseInt(mark, 16) & made.dataset.bit);
    if (!one) {
      this.now = null;
      this.facts.replaceChildren(make("p", { class: "muted", text: "Loading" }));
      return;
    }
    this.draw(one);
    this.describe(one);
    this.showNote();
  }

  draw(one) {
    const { data } = this, { colours } = data;
    const range = this.now ? this.relative() : this.zoom;
    one.parsed ??= parse(one);
    this.now = { id: one.id, seconds: one.parsed.seconds, first: one.before, times: one.parsed.times };
    const own = (i) => i >= one.before && i < one.before + data.bars;
    const { prices, times } = one.parsed;
    this.candles.setData(candlesOf(prices, one.base, times, colours, own));
    this.bands.show(this.bandsOf(one));
    const marks = (one.swings ?? []).map(([high, bar]) => ({
      time: times[bar + one.before], position: high ? "aboveBar" : "belowBar", shape: high ? "arrowDown" : "arrowUp", color: colours.muted, size: 0.6,
    }));
    this.markers.setMarkers(marks);
    if (this.scores) this.drawScores(one);
    this.chart.timeScale().setVisibleLogicalRange(range
      ? { from: range.from + one.before, to: range.to + one.before }
      : { from: -MARGIN_BARS, to: times.length + MARGIN_BARS });
    this.axis.textContent = `Price, over ${one.parsed.seconds ? `time in ${data.zone.replaceAll("_", " ")}` : "bars"}${data.scores ? "; below, probability of each bar" : ""}`;
    this.canvas.setAttribute("aria-label", `Candles of window ${one.id}, labelled ${one.label}. ${this.spoken(one)}`);
    this.drawStrips();
    this.legend.replaceChildren(...this.entries(one));
    this.pointAt(null);
  }

  /** What is visible, counted from the window's first bar; nothing before the visitor has zoomed. */
  relative() {
    const range = this.chart.timeScale().getVisibleLogicalRange();
    const whole = { from: -MARGIN_BARS, to: this.now.times.length + MARGIN_BARS };
    const same = !range || (Math.abs(range.from - whole.from) < 0.5 && Math.abs(range.to - whole.to) < 0.5);
    this.zoom = same ? null : { from: range.from - this.now.first, to: range.to - this.now.first };
    return this.zoom;
  }

  whole() {
    this.zoom = null;
    if (this.now) this.chart.timeScale().setVisibleLogicalRange({ from: -MARGIN_BARS, to: this.now.times.length + MARGIN_BARS });
  }

  bandsOf(one) {
    const { colours } = this.data, shift = one.before, bands = [];
    if (shift || one.parsed.times.length > shift + this.data.bars) // the window's own bars among those around it
      bands.push({ first: shift, last: shift + this.data.bars - 1, fill: faded(colours.muted, 0.07) });
    for (const [first, last, p] of one.scores?.runners ?? [])
      bands.push({ first: first + shift, last: last + shift, fill: faded(colours.predicted, 0.03 + 0.25 * p) });
    if (one.true) bands.push({ first: one.true[0] + shift, last: one.true[1] + shift, fill: faded(colours.true, 0.2), line: colours.true });
    const written = [];
    one.predicted.forEach(([first, last], i) => {
      const p = one.scores?.stated?.[i], center = (first + last) / 2;
      const free = Number.isFinite(p) && written.every((other) => Math.abs(other - center) > APART_BARS);
      if (free) written.push(center);
      // Repeats lie over each other: where they agree the shade is deep.
      bands.push({
        first: first + shift, last: last + shift, fill: faded(colours.predicted, 0.22 / Math.sqrt(one.predicted.length)), line: colours.predicted,
        dash: [3, 3], text: free ? p.toFixed(2) : "",
      });
    });
    return bands;
  }

  drawScores(one) {
    const { inside, start, end } = this.scores, per = one.scores ? (one.parsed.scores ??= floats(one.scores.bars)) : null;
    const column = (k) => one.parsed.times.map((time, i) => {
      const bar = i - one.before;
      return per && bar >= 0 && bar < this.data.bars && (k === 2 || per[3 * bar + k] > 0) ? { time, value: per[3 * bar + k] } : { time };
    });
    start.setData(column(0));
    end.setData(column(1));
    inside.setData(column(2));
    this.runnersUp.show((one.scores?.runners ?? []).map(([first, last, p]) => ({
      first: first + one.before, last: last + one.before, fill: faded(this.data.colours.predicted, 0.05 + 0.3 * p),
    })));
  }

  drawStrips() {
    const one = this.held.get(this.at), { names, colours } = this.data;
    this.strips.hidden = !one?.strips;
    if (!one?.strips || !one.parsed) return;
    const values = (one.parsed.strips ??= floats(one.strips)), scale = this.chart.timeScale();
    const width = this.canvas.clientWidth, height = names.length * ROW_PIXELS, ratio = window.devicePixelRatio;
    this.strips.width = width * ratio;
    this.strips.height = height * ratio;
    this.strips.style.height = `${height}px`;
    const context = this.strips.getContext("2d"), spacing = scale.options().barSpacing, right = scale.width();
    context.scale(ratio, ratio);
    const reach = names.map((_, k) => {
      let most = 0;
      for (let i = k; i < values.length; i += names.length) most = Math.max(most, Math.abs(values[i]) || 0);
      return most || 1;
    });
    for (let bar = 0; bar < this.data.bars; bar++) {
      const left = scale.logicalToCoordinate(bar + one.before) - spacing / 2;
      if (left > right || left + spacing < 0) continue;
      names.forEach((_, k) => {
        const value = values[bar * names.length + k] / reach[k];
        if (!value) return;
        context.fillStyle = faded(value > 0 ? colours.up : colours.down, Math.abs(value).toFixed(3));
        context.fillRect(left, k * ROW_PIXELS + 1, Math.min(spacing, right - left), ROW_PIXELS - 2);
      });
    }
    context.font = "11px sans-serif";
    names.forEach((name, k) => {
      context.fillStyle = faded(colours.paper, 0.8);
      context.fillRect(0, k * ROW_PIXELS + 2, context.measureText(name).width + 6, ROW_PIXELS - 4);
      context.fillStyle = colours.ink;
      context.fillText(name, 3, k * ROW_PIXELS + 12);
    });
    this.strips.setAttribute("aria-label", `Features of each bar: ${names.join(", ")}`);
  }

  pointAtStrip(event) {
    const one = this.held.get(this.at), { names, units, bars } = this.data;
    const bar = Math.round(this.chart.timeScale().coordinateToLogical(event.offsetX)) - (one?.before ?? 0), k = Math.floor(event.offsetY / ROW_PIXELS);
    if (!one?.parsed?.strips || bar < 0 || bar >= bars || !names[k]) return;
    this.pointed.textContent = `bar ${bar} · ${names[k]} ${minus(one.parsed.strips[bar * names.length + k].toFixed(3))} ${units[k]}`;
  }

  pointAt(logical) {
    const one = this.held.get(this.at), i = Math.round(logical ?? -1);
    if (!one?.parsed || i < 0 || i >= one.parsed.times.length || logical === null || logical === undefined) {
      this.pointed.textContent = one?.parsed?.seconds ? this.period(one) : "";
      return;
    }
    const digits = this.data.decimals, [o, h, l, c] = [0, 1, 2, 3].map((k) => (one.base + one.parsed.prices[4 * i + k]).toFixed(digits));
    const time = one.parsed.seconds ? ` · ${this.clock.whole(one.parsed.times[i])}` : "";
    const bar = i - one.before, per = one.parsed.scores;
    const p = per && bar >= 0 && bar < this.data.bars
      ? ` · start ${per[3 * bar].toFixed(2)}, inside ${per[3 * bar + 2].toFixed(2)}, end ${per[3 * bar + 1].toFixed(2)}` : "";
    this.pointed.textContent = `bar ${minus(String(bar))}${time} · open ${o}, high ${h}, low ${l}, close ${c}${p}`;
  }

  period(one) {
    const times = one.parsed.times, last = times[one.before + this.data.bars - 1];
    return `${this.clock.whole(times[one.before])} to ${this.clock.minute(last)}, ${this.data.zone.replaceAll("_", " ")}`;
  }

  timeOf(time) {
    return this.now?.seconds ? this.clock.whole(time) : `bar ${minus(String(time / 60))}`;
  }

  entries(one) {
    const { colours } = this.data, many = one.predicted.length > 1 ? " (one band per repeat)" : "";
    const rows = [];
    if (one.true) rows.push(["true expansion", colours.true]);
    if (one.predicted.length) rows.push([`predicted expansion${many}`, colours.predicted]);
    if (one.scores?.runners.length) rows.push(["runners-up, fainter", faded(colours.predicted, 0.4)]);
    if (one.scores) rows.push(["start", colours.start], ["end", colours.end], ["inside", faded(colours.predicted, 0.4)]);
    return rows.map(([name, colour]) => {
      const mark = make("i");
      mark.style.background = colour;
      return make("li", {}, mark, name);
    });
  }

  spoken(one) {
    const parts = [one.outcome === "unseen" ? "No prediction." : `The prediction is ${one.outcome}.`];
    if (one.true) parts.push(`True expansion: bars ${fixed(one.true[0], 0)} to ${fixed(one.true[1], 0)}.`);
    return parts.join(" ");
  }

  describe(one) {
    const parts = [make("h2", { text: one.label }), make("p", { class: "muted", text: `${one.id}${one.grade ? ` · grade ${one.grade}` : ""}` })];
    if (one.outcome === "unseen") {
      // Without any prediction the page says why, below.
      if (this.data.predicts) parts.push(make("p", { class: "muted", text: "No prediction for this window in the selected run." }));
    } else {
      const count = one.repeats > 1 ? `: ${one.right} of ${one.repeats} repeats right` : "";
      parts.push(make("p", { class: one.outcome === "right" ? "good" : "bad", text: `${one.outcome === "right" ? "✓" : "✗"} ${one.outcome}${count}` }));
      for (const [name, mean, low, high] of one.classes) {
        const spread = one.repeats > 1 ? ` (${low.toFixed(2)} to ${high.toFixed(2)})` : "";
        const share = make("div");
        share.style.width = `${100 * Math.min(1, Math.max(0, mean))}%`;
        parts.push(make("div", { class: "share" }, `${name} ${mean.toFixed(2)}${spread}${name === one.label ? " ← label" : ""}`, make("div", { "aria-hidden": "true" }, share)));
      }
    }
    parts.push(this.pointerTable(one));
    if (one.stated) {
      const [mean, low, high] = one.stated, spread = high > low ? ` (${low.toFixed(2)} to ${high.toFixed(2)})` : "";
      parts.push(make("p", { text: `Stated probability of a center within 3 bars: ${mean.toFixed(2)}${spread}` }));
    }
    if (one.gap) parts.push(make("p", { class: "bad", text: "The window spans a gap or a roll." }));
    this.facts.replaceChildren(...parts);
  }

  pointerTable(one) {
    if (!one.true && !one.predicted.length) return make("p", { class: "muted", text: "The window has no expansion pointer." });
    const [start, end] = one.true ?? [NaN, NaN], n = one.predicted.length;
    const mean = (k) => (n ? one.predicted.reduce((sum, pair) => sum + pair[k], 0) / n : NaN);
    const rows = { start: [start, mean(0)], end: [end, mean(1)], center: [(start + end) / 2, (mean(0) + mean(1)) / 2] };
    const cells = (tag, row) => row.map((text) => make(tag, tag === "th" ? { scope: "col", text } : { text }));
    const error = ([a, b]) => (Number.isFinite(b - a) && b > a ? `+${fixed(b - a)}` : fixed(b - a));
    return make("table", {}, make("thead", {}, make("tr", {}, ...cells("th", ["bars", "true", "predicted", "error"]))),
      make("tbody", {}, ...Object.entries(rows).map(([name, pair]) =>
        make("tr", {}, make("th", { scope: "row", text: name }), ...cells("td", [fixed(pair[0]), fixed(pair[1]), error(pair)])))));
  }

  keys() {
    const actions = {
      ArrowLeft: () => this.step(-1), k: () => this.step(-1), ArrowRight: () => this.step(1), j: () => this.step(1),
      Home: () => this.go(0), End: () => this.go(this.data.total - 1), f: () => this.flag(), n: () => this.comment.focus(),
      "+": () => zoomBy(this.chart, 0.7), "-": () => zoomBy(this.chart, 1.4), 0: () => this.whole(),
    };
    for (const [key, , bit] of JUMPS) {
      actions[key] = () => this.jump(bit, 1);
      actions[key.toUpperCase()] = () => this.jump(bit, -1);
    }
    return listen(actions);
  }
}

/** Prices and times of what was sent. Without times a bar is a minute, so that whole numbers of bars get the tick marks. */
function parse(one) {
  const prices = floats(one.prices), count = prices.length / 4, seconds = Boolean(one.times);
  const times = seconds ? Array.from(integers(one.times), (after) => one.start + after) : Array.from({ length: count }, (_, i) => 60 * (i - one.before));
  return { prices, times, seconds };
}

export default mounted(Viewer);
