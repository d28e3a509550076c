// Let times pass: "3 s ago" becomes "4 s ago", and who hovers over it sees the moment in the zone that was chosen.
import { text } from "./texts.js";

const UNITS = [["s", 1, 90], ["min", 60, 90], ["h", 3600, 48]];
const zone = document.body.dataset.zone === "utc" ? "UTC" : undefined;
const whole = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "long", timeZone: zone });
const clock = new Intl.DateTimeFormat(document.documentElement.lang, {
  month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hour12: false, timeZone: zone,
});

export function startTimes() {
  tellTimes(document);
  setInterval(() => document.hidden || tellTimes(document), 1000);
}

/** Write every time below `root` as it is to be read now. */
export function tellTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const at = new Date(element.dateTime);
    const words = element.hasAttribute("data-clock") ? clock.format(at) : distance((Date.now() - at) / 1000);
    if (element.textContent !== words) element.textContent = words;
    const title = whole.format(at);
    if (element.title !== title) element.title = title;
  }
}

function distance(seconds) {
  return seconds > -1 ? text("time.ago", { span: span(Math.max(0, seconds)) }) : text("time.in", { span: span(-seconds) });
}

function span(seconds) {
  if (seconds < 1) return text("unit.ms", { number: Math.round(seconds * 1000) });
  for (const [name, size, limit] of UNITS) {
    if (seconds < size * limit) {
      const value = seconds / size;
      return text(`unit.${name}`, { number: size === 1 && value < 10 ? value.toFixed(1) : Math.round(value) });
    }
  }
  return text("unit.d", { number: Math.round(seconds / 86400).toLocaleString("en") });
}
