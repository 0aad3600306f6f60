// The viewer of predictions over bars: it goes from one predicted expansion to the next, and hears of other bars when it needs them.
import {
  Bands, CandlestickSeries, Clock, LineSeries, address, button, candleOptions, candlesOf, faded, floats, integers, make, startChart, zoomBy,
} from "./chart.js";
import { listen } from "./keys.js";
import { mounted } from "./mounted.js";

const AT_REST_MS = 400, PAUSE_MS = 2000, PRICES_PIXELS = 380, POINTS_PIXELS = 150, SHOWN_BARS = 300;

class Stretch {
  constructor(root) {
    this.root = root;
    this.at = 0;
    this.place = make("span", { class: "place", role: "status" });
    this.pointed = make("p", { class: "pointed" });
    this.axis = make("p", { class: "axis" });
    this.facts = make("p", { "aria-live": "polite" });
    this.canvas = make("div", { class: "chart", role: "figure" });
    this.canvas.style.height = `${PRICES_PIXELS + POINTS_PIXELS}px`;
    this.legend = make("ul", { class: "legend" });
    this.steps = [button("Previous", () => this.step(-1), "←"), button("Next", () => this.step(1), "→")];
    root.append(make("div", { class: "viewer" },
      make("div", { class: "bar", role: "toolbar", "aria-label": "Steps through the expansions" }, ...this.steps, this.place,
        button("+", () => zoomBy(this.chart, 0.7), "", "Zoom in"), button("−", () => zoomBy(this.chart, 1.4), "", "Zoom out"),
        button("All bars", () => this.chart.timeScale().fitContent(), "a"), button("The expansion", () => this.center(), "0")),
      this.facts, this.pointed, this.axis, this.canvas, this.legend));
  }

  update(data, say) {
    this.say = say;
    const before = this.data;
    this.data = data;
    this.clock = data.zone === before?.zone ? this.clock : new Clock(data.zone);
    this.root.querySelector(".viewer").style.setProperty("--muted", data.colours.muted);
    if (data.load !== before?.load) this.at = this.told = data.at;
    if (!this.chart || before.appearance !== data.appearance || before.content !== data.content || before.first !== data.first) this.drawBars();
    this.show();
  }

  drawBars() {
    const { data } = this, { colours } = data;
    const prices = floats(data.prices);
    this.prices = prices;
    const timed = Boolean(data.times); // those of bars below a second cannot be told apart
    this.times = timed ? Array.from(integers(data.times), (after) => data.start + after) : Array.from({ length: prices.length / 4 }, (_, i) => 60 * (data.first + i));
    const bar = (time) => `bar ${(time / 60).toLocaleString("en")}`;
    this.chart?.remove();
    this.chart = startChart(this.canvas, colours, { time: (time) => (timed ? this.clock.whole(time) : bar(time)), tick: (time, type) => (timed ? this.clock.tick(time, type) : bar(time)) });
    this.candles = this.chart.addSeries(CandlestickSeries, candleOptions(colours, data.decimals));
    this.candles.setData(candlesOf(prices, data.base, this.times, colours));
    this.bands = new Bands();
    this.bands.paper = colours.paper;
    this.candles.attachPrimitive(this.bands);
    for (const { name, colour, bars, values } of data.points) this.addPoints(name, colour, integers(bars), floats(values));
    const panes = this.chart.panes();
    panes[0].setStretchFactor(PRICES_PIXELS);
    panes[1]?.setStretchFactor(POINTS_PIXELS);
    this.chart.subscribeCrosshairMove((event) => this.pointAt(event.logical));
    this.legend.replaceChildren(...data.points.map(({ name, colour }) => {
      const mark = make("i");
      mark.style.background = colour;
      return make("li", {}, mark, name);
    }));
    this.axis.textContent = `Price, over time in ${data.zone.replaceAll("_", " ")}; below, ${data.scale} by the bar of each predicted center`;
    if (!data.expansions.length) this.chart.timeScale().setVisibleLogicalRange({ from: 0, to: SHOWN_BARS });
  }

  addPoints(name, colour, bars, values) {
    const series = this.chart.addSeries(LineSeries, {
      color: colour, lineVisible: false, pointMarkersVisible: true, pointMarkersRadius: 3, lastValueVisible: false, priceLineVisible: false,
      crosshairMarkerVisible: false, priceFormat: { type: "price", precision: 2, minMove: 0.01 },
      autoscaleInfoProvider: () => ({ priceRange: { minValue: 0, maxValue: 1 } }),
    }, 1);
    const points = [];
    bars.forEach((bar, i) => points.push({ time: this.times[bar - this.data.first], value: values[i] }));
    series.setData(points);
  }

  get now() {
    return this.data.expansions[this.at];
  }

  step(by) {
    const count = this.data.expansions.length;
    if (!count) return;
    this.at = (this.at + by + count) % count;
    this.show();
    clearTimeout(this.resting);
    if (this.holds(this.now)) this.resting = setTimeout(() => this.tell(), AT_REST_MS);
    else this.tell();
  }

  name() {
    if (this.now) address("expansion", String(this.now.first));
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

  holds(one) {
    return one.first >= this.data.first && one.last < this.data.first + this.times.length;
  }

  show() {
    const { data, now } = this, count = data.expansions.length;
    this.steps.forEach((made) => (made.disabled = !count));
    this.place.textContent = count ? `Expansion ${(this.at + 1).toLocaleString("en")} of ${count.toLocaleString("en")}` : "No expansion";
    this.facts.textContent = now ? now.text : "";
    this.canvas.setAttribute("aria-label", `Candles with predicted expansions. ${now ? now.text : ""}`);
    this.bands.show(data.expansions.filter((one) => this.holds(one)).map((one) => ({
      first: one.first - data.first, last: one.last - data.first, fill: faded(one.colour, 0.1 + 0.2 * one.p), line: one.colour,
      width: one === now ? 3 : 1, text: one === now ? one.p.toFixed(2) : "",
    })));
    if (now && this.holds(now) && this.drawn !== `${data.load} ${this.at} ${data.first}`) {
      this.drawn = `${data.load} ${this.at} ${data.first}`;
      this.center();
    }
  }

  center() {
    const { now } = this;
    if (!now) return;
    const middle = (now.first + now.last) / 2 - this.data.first, half = Math.max(SHOWN_BARS, 3 * (now.last - now.first)) / 2;
    this.chart.timeScale().setVisibleLogicalRange({ from: middle - half, to: middle + half });
  }

  pointAt(logical) {
    const i = Math.round(logical ?? -1);
    if (i < 0 || i >= this.times.length) return this.pointed.replaceChildren();
    const [o, h, l, c] = [0, 1, 2, 3].map((k) => (this.data.base + this.prices[4 * i + k]).toFixed(this.data.decimals));
    this.pointed.textContent = `bar ${(i + this.data.first).toLocaleString("en")} · ${this.clock.whole(this.times[i])} · open ${o}, high ${h}, low ${l}, close ${c}`;
  }

  keys() {
    return listen({
      ArrowLeft: () => this.step(-1), k: () => this.step(-1), ArrowRight: () => this.step(1), j: () => this.step(1),
      Home: () => this.step(-this.at), End: () => this.step(this.data.expansions.length - 1 - this.at),
      "+": () => zoomBy(this.chart, 0.7), "-": () => zoomBy(this.chart, 1.4), a: () => this.chart.timeScale().fitContent(), 0: () => this.center(),
    });
  }
}

export default mounted(Stretch);
