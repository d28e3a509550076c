// Send the small forms without leaving the page: what was done, or why not, is told in a corner or beside the form.
import { sent } from "./hold.js";
import { text } from "./texts.js";

const SHOWN_MILLISECONDS = 6000;

export function startForms(live) {
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches("form[data-quiet]") || event.submitter?.formMethod === "get") return;
    event.preventDefault();
    const button = event.submitter;
    await send(form, button, live);
  });
}

/** Send `form` as `button` would, and tell what came of it. */
async function send(form, button, live) {
  const address = button?.getAttribute("formaction") ? button.formAction : form.action;
  if (button) button.disabled = true;
  try {
    const answer = await fetch(address, { method: "POST", headers: { Accept: "text/html" }, body: new URLSearchParams(new FormData(form)) });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const note = page.querySelector("#notice, #problem");
    if (said(form, answer.ok ? "" : (page.querySelector(".refusal:not([hidden])") ?? note)?.textContent.trim())) return;
    toast(note?.textContent.trim() ?? text("script.failed"), answer.ok ? note?.className ?? "note good" : "note bad");
    if (!answer.ok) return;
    sent(form);
    for (const box of form.querySelectorAll("input[type=checkbox]:checked")) box.checked = false;
    for (const asked of document.querySelectorAll(":popover-open")) asked.hidePopover();
    document.dispatchEvent(new CustomEvent("ticked"));
    if (new URL(answer.url).pathname === location.pathname) await live.refresh({ force: true });
    else location.assign(answer.url);
  } catch {
    toast(text("live.offline"), "note bad");
  } finally {
    if (button) button.disabled = false;
  }
}

/** Say beside `form` why it was refused, or nothing any more; return whether it has a place for that and needs it. */
function said(form, reason) {
  const place = form.querySelector(".refusal");
  if (!place) return false;
  place.textContent = reason ?? text("script.failed");
  place.hidden = place.textContent === "";
  if (!place.hidden) form.querySelector("input:not([type=hidden]), select, textarea").focus();
  return !place.hidden;
}

/** Show a sentence in the corner for a while. */
export function toast(words, classes) {
  let corner = document.querySelector(".toasts");
  if (!corner) {
    corner = document.createElement("div");
    corner.className = "toasts";
    corner.setAttribute("role", "status");
    document.body.append(corner);
  }
  const note = document.createElement("div");
  note.className = classes;
  note.textContent = words;
  corner.append(note);
  setTimeout(() => note.remove(), SHOWN_MILLISECONDS);
}
