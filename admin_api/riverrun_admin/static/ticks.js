// Tick rows: all of them, or with Shift every row from the last one that was ticked.
import { text } from "./texts.js";

let last = null;

export function startTicks() {
  prepare();
  document.addEventListener("patched", prepare);
  document.addEventListener("ticked", count);
  document.addEventListener("click", (event) => {
    if (event.target.matches("td.tick input")) tickTo(event.target, event.shiftKey);
    if (event.target.id === "tick-all") tickAll(event.target.checked);
  });
}

/** Tick or untick `box`; with `range` all rows between it and the one before too. */
export function tickTo(box, range) {
  const all = boxes();
  if (range && last && all.includes(last)) {
    const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
    for (const each of all.slice(from, to + 1)) each.checked = box.checked;
  }
  last = box;
  count();
}

function tickAll(checked) {
  for (const box of boxes()) box.checked = checked;
  count();
}

function boxes() {
  return [...document.querySelectorAll("td.tick input")];
}

function count() {
  const label = document.getElementById("tick-count");
  if (!label) return;
  label.dataset.jsEmpty ??= label.textContent;
  const number = boxes().filter((box) => box.checked).length;
  label.textContent = number ? text("script.ticked", { number }) : label.dataset.jsEmpty;
}

function prepare() {
  const all = document.getElementById("tick-all");
  if (all) all.hidden = false;
  count();
}
