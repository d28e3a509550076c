// Copy what stands in a frame, byte for byte; also on plain HTTP, where the clipboard is out of reach.
import { text } from "./texts.js";

export function startCopying() {
  prepare();
  document.addEventListener("patched", prepare);
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const done = await copy(button.parentElement.querySelector("pre"));
    if (!done) return;
    const before = button.textContent;
    button.textContent = text("script.copied");
    setTimeout(() => { button.textContent = before; }, 1500);
  });
}

function prepare() {
  for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
}

async function copy(pre) {
  if (navigator.clipboard) {
    try { await navigator.clipboard.writeText(pre.textContent); return true; } catch { /* no permission: the old way */ }
  }
  const range = document.createRange();
  range.selectNodeContents(pre);
  const selection = document.getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
  return document.execCommand("copy");
}
