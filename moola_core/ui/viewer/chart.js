// What both viewers share: the chart, numbers that were sent, times, bands over bars.
import {
  AreaSeries, CandlestickSeries, ColorType, CrosshairMode, HistogramSeries, LineSeries, createChart, createSeriesMarkers,
} from "./lightweight-charts/lightweight-charts.js";

export { AreaSeries, CandlestickSeries, HistogramSeries, LineSeries, createSeriesMarkers };

const FONT = '"Source Sans", "Source Sans 3", system-ui, sans-serif';
const WHOLE_DAY = 2; // year, month and day are tick marks of a day or more in the library

function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
}

export const floats = (text) => new Float32Array(bytes(text));
export const integers = (text) => new Int32Array(bytes(text));

/** The hex colour with an opacity. */
export function faded(colour, alpha) {
  const part = (i) => parseInt(colour.slice(i, i + 2), 16);
  return `rgba(${part(1)}, ${part(3)}, ${part(5)}, ${alpha})`;
}

export function make(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export function button(text, action, key = "", label = "") {
  const children = key ? [text, make("kbd", { "aria-hidden": "true", text: key })] : [text];
  return make("button", { type: "button", onclick: action, ...(label ? { "aria-label": label, title: label } : {}) }, ...children);
}

/** Times in the exchange's zone. */
export class Clock {
  constructor(zone) {
    const forms = {
      whole: { weekday: "short", day: "2-digit", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" },
      day: { day: "2-digit", month: "short" },
      minute: { hour: "2-digit", minute: "2-digit" },
    };
    for (const [name, form] of Object.entries(forms)) {
      const made = new Intl.DateTimeFormat("en-GB", { ...form, timeZone: zone, hourCycle: "h23" });
      this[name] = (seconds) => made.format(seconds * 1000).replace(",", "");
    }
  }

  /** The library puts the marks of days at midnight UTC, which is no midnight in most zones. */
  tick(seconds, type) {
    const minute = this.minute(seconds);
    return type <= WHOLE_DAY && minute === "00:00" ? this.day(seconds) : minute;
  }
}

/** Colours that the app's theme gives, of an element on the page. */
function options(colours) {
  return {
    layout: {
      background: { type: ColorType.Solid, color: "transparent" }, textColor: colours.muted, fontFamily: FONT, fontSize: 12,
      panes: { separatorColor: colours.grid, enableResize: false }, attributionLogo: true,
    },
    grid: { vertLines: { color: colours.grid }, horzLines: { color: colours.grid } },
    rightPriceScale: { borderColor: colours.grid },
    timeScale: { borderColor: colours.grid },
  };
}

export function startChart(place, colours, formatters) {
  return createChart(place, {
    ...options(colours),
    autoSize: true,
    crosshair: { mode: CrosshairMode.Normal },
    timeScale: { timeVisible: true, secondsVisible: false, minBarSpacing: 0.05, tickMarkFormatter: formatters.tick },
    localization: { timeFormatter: formatters.time },
  });
}

/** Candles that are hollow where they close higher. */
export function candleOptions(colours, decimals) {
  return {
    upColor: colours.paper, downColor: colours.down, borderUpColor: colours.up, borderDownColor: colours.down,
    wickUpColor: colours.up, wickDownColor: colours.down, lastValueVisible: false, priceLineVisible: false,
    priceFormat: { type: "price", precision: decimals, minMove: 10 ** -decimals },
  };
}

/** Candles from prices [n, 4] as differences from `base`, at `times`; `own(i)`: whether bar i is one of those that count. */
export function candlesOf(prices, base, times, colours, own = () => true) {
  return times.map((time, i) => {
    const [open, high, low, close] = [0, 1, 2, 3].map((k) => base + prices[4 * i + k]);
    const bar = { time, open, high, low, close };
    if (own(i)) return bar;
    const colour = faded(close >= open ? colours.up : colours.down, 0.35);
    return { ...bar, color: close >= open ? "transparent" : colour, borderColor: colour, wickColor: colour };
  });
}

/** Where the middle of a bar is drawn. A network points between bars; the library knows of whole ones alone, and answers 0 for others. */
export function placeOf(scale, bar) {
  const whole = Math.floor(bar);
  return scale.logicalToCoordinate(whole) + (bar - whole) * scale.options().barSpacing;
}

/** Shaded bands from the first to the last bar of each, over the whole height of a pane. A primitive of the library. */
export class Bands {
  constructor() {
    this.bands = [];
    this.views = [{ zOrder: () => "bottom", renderer: () => ({ draw: (target) => this.draw(target) }) }];
  }

  attached({ chart, requestUpdate }) {
    this.scale = chart.timeScale();
    this.refresh = requestUpdate;
  }

  paneViews() {
    return this.views;
  }

  show(bands) {
    this.bands = bands;
    this.refresh?.();
  }

  draw(target) {
    target.useMediaCoordinateSpace(({ context, mediaSize }) => {
      const spacing = this.scale.options().barSpacing;
      for (const band of this.bands) {
        const left = placeOf(this.scale, band.first) - spacing / 2;
        const right = placeOf(this.scale, band.last) + spacing / 2;
        if (right < 0 || left > mediaSize.width) continue;
        context.fillStyle = band.fill;
        context.fillRect(left, 0, right - left, mediaSize.height);
        if (!band.line) continue;
        context.strokeStyle = band.line;
        context.lineWidth = band.width ?? 1;
        context.setLineDash(band.dash ?? []);
        context.strokeRect(left, 0.5, right - left, mediaSize.height - 1);
        context.setLineDash([]);
        if (band.text) {
          context.font = `600 13px ${FONT}`;
          context.textAlign = "center";
          const wide = context.measureText(band.text).width + 8;
          context.fillStyle = faded(this.paper ?? "#FFFFFF", 0.8);
          context.fillRect((left + right - wide) / 2, 3, wide, 18);
          context.fillStyle = band.line;
          context.fillText(band.text, (left + right) / 2, 16);
        }
      }
    });
  }
}

/** The page's address names what is shown, at once, so that it still does when a click leads away before the server has answered. */
export function address(name, value) {
  const url = new URL(location.href);
  if (url.searchParams.get(name) === value) return;
  url.searchParams.set(name, value);
  history.replaceState(history.state, "", url);
}

/** Buttons that zoom, and what they do: between the fewest bars and all of them. */
export function zoomBy(chart, factor) {
  const range = chart.timeScale().getVisibleLogicalRange();
  if (!range) return;
  const middle = (range.from + range.to) / 2, half = Math.max(((range.to - range.from) / 2) * factor, 5);
  chart.timeScale().setVisibleLogicalRange({ from: middle - half, to: middle + half });
}
