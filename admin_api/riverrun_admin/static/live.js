// Keep the page as the server would draw it now. Something has changed, says the feed; then the page is asked for again and
// patched in place. While somebody ticks, types, selects or reads a menu, the changes wait behind a pill that counts them.
import { openFeed } from "./feed.js";
import { busy } from "./hold.js";
import { differences, keyed, patch } from "./patch.js";
import { text } from "./texts.js";
import { tellTimes } from "./times.js";

const CALM_MILLISECONDS = 1000;
const GIVEN_UP_AFTER = 3;

/** Return the live view: `refresh()` asks at once, `toggle()` holds it or lets it go. */
export function startLive() {
  const main = document.getElementById("content");
  const button = document.getElementById("live");
  const every = document.body.dataset.refresh === "off" ? 0 : 1000 * Number(document.body.dataset.refresh);
  const editable = main.querySelector("form.form:not([data-quiet]) textarea") !== null;
  const moves = every > 0 && !editable;
  const view = { shown: keyed(main), waiting: null, held: false, failures: 0, last: 0, timer: 0, asking: false, again: false };

  function show(state) {
    button.dataset.state = state;
    button.textContent = text(`live.${state}`);
    button.setAttribute("aria-pressed", String(view.held));
  }

  async function refresh({ force = false } = {}) {
    if (view.asking) view.again = true; // what happens meanwhile may be too late for the answer that is on its way
    if (view.asking || (document.hidden && !force)) return;
    view.asking = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("content");
      fresh.querySelector("#notice")?.remove();
      view.failures = 0;
      view.waiting = { fresh, picture: keyed(fresh) };
      if (force || !(view.held || busy())) apply();
      else offer();
    } catch {
      view.failures += 1;
      view.again = true;
    } finally {
      view.asking = false;
      view.last = performance.now();
      if (view.again && moves) soon();
      view.again = false;
      show(view.failures >= GIVEN_UP_AFTER ? "offline" : view.held || view.waiting ? "held" : "live");
    }
  }

  function apply() {
    if (!view.waiting) return;
    const { fresh, picture } = view.waiting;
    view.waiting = null;
    tellTimes(fresh);
    patch(main, fresh);
    view.shown = picture;
    document.querySelector(".pill")?.remove();
    document.dispatchEvent(new CustomEvent("patched"));
  }

  function offer() {
    const number = differences(view.shown, view.waiting.picture);
    let pill = document.querySelector(".pill");
    if (number === 0) {
      pill?.remove();
      return;
    }
    if (!pill) {
      pill = document.createElement("button");
      pill.type = "button";
      pill.className = "pill";
      pill.setAttribute("aria-live", "polite");
      pill.addEventListener("click", () => { apply(); show(view.held ? "held" : "live"); });
      document.body.append(pill);
    }
    pill.textContent = number === 1 ? text("live.change") : text("live.changes", { number });
  }

  function soon() {
    if (view.timer) return;
    const wait = Math.max(50, Math.max(every, CALM_MILLISECONDS) - (performance.now() - view.last));
    view.timer = setTimeout(() => { view.timer = 0; refresh(); }, wait);
  }

  function toggle() {
    view.held = !view.held;
    if (!view.held) { refresh(); }
    show(view.held ? "held" : "live");
  }

  button.hidden = false;
  if (!moves) {
    show("off");
    button.addEventListener("click", () => refresh({ force: true }));
    return { refresh, toggle: () => refresh({ force: true }) };
  }
  button.addEventListener("click", toggle);
  show("live");
  openFeed(document.body.dataset.topics, { changed: soon, every });
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
  // What waited for somebody to finish is shown as soon as they have.
  setInterval(() => { if (view.waiting && !view.held && !busy()) { apply(); show("live"); } }, 500);
  return { refresh, toggle };
}
