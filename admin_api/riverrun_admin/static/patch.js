// Make a part of the page what the server says now, and keep every element that is still there: its focus, its place, its tick.

const KEPT = new Set(["open", "value", "checked", "hidden"]);

/** Whether an attribute is the reader's own affair; how far a bar has come is the server's. */
const isKept = (element, name) => KEPT.has(name) && !(name === "value" && element.matches("progress, meter"));

/** Make `old` what `fresh` is. Rows and sections that carry data-key stay the same element wherever they stand. */
export function patch(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.matches(".refusal, [data-own]")) return; // what a module has put there is its own
  patchAttributes(old, fresh);
  patchChildren(old, fresh);
}

function patchAttributes(old, fresh) {
  for (const { name, value } of fresh.attributes) {
    if (!isKept(old, name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!isKept(old, name) && !fresh.hasAttribute(name) && !name.startsWith("data-js")) old.removeAttribute(name);
  }
}

function patchChildren(old, fresh) {
  const byKey = new Map();
  for (const child of old.children) if (child.dataset?.key) byKey.set(child.dataset.key, child);
  let at = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const key = wanted.dataset?.key;
    const same = key ? byKey.get(key) : at && !at.dataset?.key && at.nodeName === wanted.nodeName ? at : null;
    if (!same) {
      old.insertBefore(wanted, at);
    } else if (same === at) {
      at = at.nextSibling;
      patch(same, wanted);
    } else {
      old.insertBefore(same, at);
      patch(same, wanted);
    }
    byKey.delete(key);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

/** Return the parts of a page that carry data-key, as text in which the passing of time does not show. */
export function keyed(root) {
  const found = new Map();
  for (const element of root.querySelectorAll("[data-key]")) {
    const copy = element.cloneNode(true);
    for (const passing of copy.querySelectorAll("time, .age")) passing.textContent = passing.getAttribute("datetime") ?? "";
    found.set(element.dataset.key, copy.innerHTML);
  }
  return found;
}

/** Return how many keyed parts differ between two such pictures of a page. */
export function differences(before, after) {
  let number = 0;
  for (const [key, html] of after) if (before.get(key) !== html) number += 1;
  for (const key of before.keys()) if (!after.has(key)) number += 1;
  return number;
}
