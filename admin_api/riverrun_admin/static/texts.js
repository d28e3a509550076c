// The sentences that modules show, in the language of the page.
const kept = document.getElementById("texts");

/** Return the text of a key such as "live.held", with what is to stand in it. */
export function text(key, values = {}) {
  const pattern = kept.getAttribute(`data-${key.replace(".", "-")}`) ?? key;
  return pattern.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
