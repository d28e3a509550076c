// What makes a page livelier than it is without script; each part stands alone.
import { startLive } from "./live.js";
import { startKeys } from "./keys.js";
import { startForms } from "./forms.js";
import { startTicks } from "./ticks.js";
import { startTimes } from "./times.js";
import { startCopying } from "./copy.js";
import { startSuggestions } from "./suggest.js";
import { startViews } from "./views.js";

const live = startLive();
startForms(live);
startKeys(live);
startTicks();
startTimes();
startCopying();
startSuggestions();
startViews();
document.addEventListener("click", closeMenus);
document.addEventListener("keydown", (event) => event.key === "Escape" && closeMenus(event));

/** Close the menus that were not clicked into. */
function closeMenus(event) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (event.key === "Escape" || !menu.contains(event.target)) menu.open = false;
  }
}
