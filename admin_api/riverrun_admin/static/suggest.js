// Suggest what can be searched for: the names of terms, and the values that are known of some, as one types.
import { text } from "./texts.js";

const MOST = 8;
const KNOWN_MILLISECONDS = 30_000;
let known = null, learning = null, asked = -Infinity;

export function startSuggestions() {
  const field = document.getElementById("search");
  const list = document.createElement("ul");
  Object.assign(list, { id: "suggestions", className: "options suggestions", hidden: true });
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", text("script.suggestions"));
  field.after(list);
  for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-controls", list.id], ["aria-expanded", "false"]]) field.setAttribute(name, value);

  field.addEventListener("focus", learn);
  field.addEventListener("input", async () => { await learn(); show(field, list); });
  field.addEventListener("blur", () => close(field, list));
  field.addEventListener("keydown", (event) => onKey(event, field, list));
  // Not a click: the field would lose the focus, and the list be gone, before it comes.
  list.addEventListener("mousedown", (event) => {
    const option = event.target.closest("[role=option]");
    event.preventDefault();
    if (option) choose(field, list, option);
  });
}

/** Resolve when what is known is here; it is asked for at most twice a minute. */
function learn() {
  if (performance.now() - asked >= KNOWN_MILLISECONDS) {
    asked = performance.now();
    learning = load();
  }
  return learning;
}

async function load() {
  try {
    const answer = await fetch(`${document.body.dataset.base}queue/terms`, { headers: { Accept: "application/json" } });
    if (answer.ok) known = await answer.json();
  } catch { /* it is only a help */ }
}

/** Return the word before the cursor, and where it begins. */
function word(field) {
  const before = field.value.slice(0, field.selectionStart);
  const start = before.search(/\S*$/);
  return { start, said: before.slice(start) };
}

/** Return a value as a line says it: in quotes unless the rule of its name surely allows it bare. */
function written(term, value) {
  const bare = term === "tag" ? /^\w[\w-]+\w$/ : /^\w[\w.:-]+$/;
  return bare.test(value) ? value : JSON.stringify(value);
}

/** Return what `said` may become: a term, or a term with one more value. */
function completions(said) {
  if (!known || !said) return [];
  const [, name, values] = /^(\w+):(.*)$/.exec(said) ?? [];
  if (name === undefined) {
    const begun = said.toLowerCase();
    const terms = known.terms.filter((term) => term.startsWith(begun)).map((term) => (term === "args" || term === "meta" ? `${term}.` : `${term}:`));
    return [...terms, ...known.kind.filter((kind) => kind.toLowerCase().includes(begun)).map((kind) => `kind:${written("kind", kind)}`)];
  }
  const parts = values.split(",");
  const begun = parts.pop().toLowerCase();
  const term = name.toLowerCase();
  const all = known.terms.includes(term) ? known[term] ?? [] : [];
  const fits = all.filter((value) => value.toLowerCase().includes(begun) && !parts.includes(written(term, value)));
  fits.sort((one, other) => other.toLowerCase().startsWith(begun) - one.toLowerCase().startsWith(begun));
  return fits.map((value) => `${name}:${[...parts, written(term, value)].join(",")}`);
}

function show(field, list) {
  const { said } = word(field);
  const found = completions(said).filter((each) => each !== said).slice(0, MOST);
  list.replaceChildren(...found.map((each, at) => {
    const option = document.createElement("li");
    option.id = `suggestion-${at}`;
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", "false");
    option.textContent = each;
    return option;
  }));
  list.hidden = found.length === 0;
  field.setAttribute("aria-expanded", String(!list.hidden));
  field.removeAttribute("aria-activedescendant");
}

function close(field, list) {
  list.hidden = true;
  field.setAttribute("aria-expanded", "false");
  field.removeAttribute("aria-activedescendant");
}

function onKey(event, field, list) {
  if (list.hidden) return;
  const options = [...list.children];
  const at = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const next = event.key === "ArrowDown" ? (at + 1) % options.length : (at <= 0 ? options.length : at) - 1;
    options.forEach((option, place) => option.setAttribute("aria-selected", String(place === next)));
    options[next].scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", options[next].id);
  } else if ((event.key === "Enter" || event.key === "Tab") && at >= 0) {
    choose(field, list, options[at]);
  } else if (event.key === "Escape") {
    close(field, list);
  } else {
    return;
  }
  event.preventDefault();
}

/** Put an option in the place of the word that was begun; a value is followed by a space, a term by its value. */
function choose(field, list, option) {
  const { start } = word(field);
  const whole = /[:.]$/.test(option.textContent) ? option.textContent : `${option.textContent} `;
  field.setRangeText(whole, start, field.selectionStart, "end");
  show(field, list);
}
