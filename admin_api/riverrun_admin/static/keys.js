// The keyboard: `?` shows every key. Nothing happens while somebody types, or with Ctrl, Alt or ⌘, but for the palette.
import { tickTo } from "./ticks.js";
import { text } from "./texts.js";

const NEXT_MILLISECONDS = 1200;
let going = -Infinity;
let view = null;

const KEYS = {
  "/": [() => focusSearch(), "keys.search"],
  "?": [() => showHelp(), "keys.help"],
  j: [() => move(1), "keys.rows"],
  k: [() => move(-1), null],
  x: [() => tick(false), "keys.tick"],
  X: [() => tick(true), "keys.range"],
  Enter: [() => row()?.querySelector("a")?.click(), "keys.open"],
  r: [() => press("retry"), "keys.retry"],
  C: [() => press("cancel"), "keys.cancel"],
  ".": [() => more(), "keys.more"],
  u: [() => document.querySelector(".nav a[aria-current]")?.click(), "keys.up"],
  t: [() => turnTheme(), "keys.theme"],
  p: [() => view.toggle(), "keys.hold"],
};

export function startKeys(live) {
  view = live;
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      showPalette();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (goes(event) || act(event)) event.preventDefault();
  });
}

function act(event) {
  // Enter belongs to whatever has the focus.
  if (!(event.key in KEYS) || (event.key === "Enter" && (event.target !== document.body || !row()))) return false;
  KEYS[event.key][0]();
  return true;
}

/** `g` and then the letter of a section lead there. */
function goes(event) {
  if (event.key === "g") { going = performance.now(); return true; }
  const soon = performance.now() - going < NEXT_MILLISECONDS;
  going = -Infinity;
  const link = soon ? document.querySelector(`.nav a[data-go="${CSS.escape(event.key)}"]`) : null;
  link?.click();
  return link !== null;
}

function typing(target) {
  return target.matches("input:not([type=checkbox]), textarea, select, [contenteditable]") || target.closest("dialog, [popover]") !== null;
}

function row() { return document.querySelector("[data-rows] tr[aria-current]"); }

function move(step) {
  const rows = [...document.querySelectorAll("[data-rows] tbody tr")];
  if (!rows.length) return;
  const at = rows.indexOf(row());
  rows[at]?.removeAttribute("aria-current");
  const next = rows[Math.min(rows.length - 1, Math.max(0, at + step))];
  next.setAttribute("aria-current", "true");
  next.scrollIntoView({ block: "nearest" });
}

function tick(range) {
  const box = row()?.querySelector("td.tick input");
  if (!box) return;
  box.checked = range || !box.checked;
  tickTo(box, range);
}

/** Press the button for an action: of the ticked rows, of the row that j and k chose, or of the job on the page. */
function press(action) {
  const bar = document.querySelector("#ticked");
  if (bar && row() && !bar.querySelector("td.tick input:checked")) tick(false);
  const button = bar ? bar.querySelector(`button[formaction$="/${action}"]`) : document.querySelector(`main form[action$="job/${action}"] button`);
  if (button && (!bar || bar.querySelector("td.tick input:checked"))) button.click();
}

/** Lead to what else can be done: to the ticked rows, to the row that j and k chose, or to the job on the page. */
function more() {
  const bar = document.querySelector("#ticked");
  if (bar && row() && !bar.querySelector("td.tick input:checked")) tick(false);
  if (bar?.querySelector("td.tick input:checked")) bar.querySelector("[formmethod=get]").click();
  else document.querySelector("details.changes:not([open]) > summary")?.click();
}

function focusSearch() {
  const field = document.getElementById("search");
  field.focus();
  field.select();
}

function turnTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme === "dark" || (root.dataset.theme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset.theme = dark ? "light" : "dark";
  const address = new URL(location.href);
  address.searchParams.set("theme", root.dataset.theme);
  fetch(address, { headers: { Accept: "text/html" } }); // the server keeps it in a cookie
}

function showHelp() {
  const list = document.createElement("div");
  list.className = "keys";
  const entries = Object.entries(KEYS).filter(([, [, key]]) => key).map(([key, [, words]]) => [key === "j" ? "j k" : key === "X" ? "Shift x" : key, text(words)]);
  const sections = [...document.querySelectorAll(".nav a")].map((link) => [`g ${link.dataset.go}`, link.textContent.trim()]);
  for (const [keys, words] of [...entries, ["Ctrl K", text("keys.palette")], ...sections]) {
    const line = list.appendChild(document.createElement("div"));
    line.append(words, document.createElement("span"));
    for (const key of keys.split(" ")) line.lastChild.appendChild(document.createElement("kbd")).textContent = key;
  }
  dialog(text("keys.title"), list);
}

/** Show every link of the frame and of the page, to be found by a few letters. */
function showPalette() {
  const field = document.createElement("input");
  field.setAttribute("aria-label", text("keys.palette_hint"));
  field.placeholder = text("keys.palette_hint");
  const options = document.createElement("ul");
  options.className = "options";
  const links = [...document.querySelectorAll(".nav a, main td.kind a, main .title a")];
  const fill = () => {
    const wanted = field.value.toLowerCase();
    options.replaceChildren(...links.filter((link) => link.textContent.toLowerCase().includes(wanted)).slice(0, 12).map((link, at) => {
      const item = document.createElement("li");
      const copy = item.appendChild(document.createElement("a"));
      copy.href = link.href;
      copy.textContent = link.textContent.trim();
      if (at === 0) copy.setAttribute("aria-selected", "true");
      return item;
    }));
  };
  field.addEventListener("input", fill);
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    const chosen = options.querySelector("a");
    const search = document.querySelector(".search");
    if (chosen) { chosen.click(); return; }
    search.q.value = field.value;
    search.requestSubmit();
  });
  fill();
  dialog(text("keys.palette"), field, options);
  field.focus();
}

function dialog(title, ...parts) {
  document.querySelector("dialog")?.remove();
  const box = document.createElement("dialog");
  const heading = document.createElement("h2");
  heading.textContent = title;
  const close = document.createElement("button");
  close.textContent = text("keys.close");
  close.addEventListener("click", () => box.close());
  box.setAttribute("aria-label", title);
  box.append(heading, ...parts, close);
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
}
