// Keep filters of the job list under names, in this browser alone: nobody else sees them, and no server has to keep them.
import { text } from "./texts.js";

const MOST = 50;
const PASSING = ["cursor", "notice", "lang", "theme", "zone", "refresh"];
const key = `riverrun-views:${new URL(document.body.dataset.base, location.href).pathname}`;

export function startViews() {
  const bar = document.getElementById("views");
  if (!bar || read() === null) return;
  bar.hidden = false;
  draw(bar);
  bar.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = event.target.elements.name.value.trim();
    if (!name) return;
    write([...read().filter((view) => view.name !== name), { name, query: present() }].slice(-MOST));
    event.target.reset();
    bar.querySelector("details").open = false;
    bar.querySelector("summary").focus();
    draw(bar);
  });
}

/** Return the query of the list that is shown, without what passes. */
function present() {
  const query = new URLSearchParams(location.search);
  for (const name of PASSING) query.delete(name);
  return query.toString();
}

/** Return the views that are kept; null where a browser keeps nothing. */
function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(key) ?? "[]");
    return Array.isArray(kept) ? kept.filter((view) => typeof view?.name === "string" && typeof view?.query === "string") : [];
  } catch (error) {
    return error instanceof SyntaxError ? [] : null;
  }
}

function write(views) {
  try { localStorage.setItem(key, JSON.stringify(views)); } catch { /* full: the views stay as they were */ }
}

function draw(bar) {
  const shown = present();
  bar.querySelector("[data-own]").replaceChildren(...read().map((view) => {
    const chip = document.createElement("span");
    chip.className = "view";
    const link = chip.appendChild(document.createElement("a"));
    link.className = "tab";
    link.href = `?${view.query}`;
    link.textContent = view.name;
    if (view.query === shown) link.setAttribute("aria-current", "true");
    const forget = chip.appendChild(document.createElement("button"));
    Object.assign(forget, { type: "button", className: "small ghost", textContent: "×" });
    forget.setAttribute("aria-label", text("script.forget", { name: view.name }));
    forget.addEventListener("click", () => {
      write(read().filter((each) => each.name !== view.name));
      draw(bar);
      bar.querySelector("summary").focus();
    });
    return chip;
  }));
}
