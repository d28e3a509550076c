// Whether somebody is in the middle of something that a fresh page would disturb.

const touched = new WeakSet();
document.addEventListener("input", (event) => touched.add(event.target));
document.addEventListener("reset", (event) => { for (const field of event.target.elements) touched.delete(field); });

/** Return whether the page must stay as it is for now. */
export function busy() {
  return ticked() || menuOpen() || selecting() || editing() || document.querySelector("dialog[open]") !== null;
}

/** Forget what was typed, because it has been sent. */
export function sent(form) {
  for (const field of form.elements) touched.delete(field);
}

function ticked() {
  return document.querySelector("main input[type=checkbox]:checked") !== null;
}

function menuOpen() {
  return document.querySelector("details.menu[open], :popover-open") !== null;
}

function selecting() {
  const selection = document.getSelection();
  return selection !== null && !selection.isCollapsed && document.querySelector("main").contains(selection.anchorNode);
}

function editing() {
  for (const field of document.querySelectorAll("main input, main textarea, main select")) {
    if (touched.has(field) && field.type !== "checkbox") return true;
  }
  const focused = document.activeElement;
  return focused !== null && focused.matches("main select, main textarea, main input:not([type=checkbox])");
}
