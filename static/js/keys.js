/* One key, one action: [data-key="a"] is clicked, [data-focus-key="e"] gets the focus. Escape leaves a field.
   Only what is visible answers, so a key inside a closed popover sleeps until the popover is open; and while a dialog or
   a menu is open, only what is in it: a letter meant for its field decides nothing behind it. */

import { FIELDS } from "./fields.js";
import { openMenu, toggle } from "./menu.js";

function visible(attribute, key) {
  const place = document.querySelector("[role=dialog]:popover-open") ?? openMenu() ?? document;
  const matches = place.querySelectorAll(`[${attribute}="${CSS.escape(key)}"]`);
  return [...matches].find((element) => element.checkVisibility() && !element.disabled);
}

function press(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const target = visible("data-key", key);
  if (target) {
    event.preventDefault();
    if (target.matches("[data-menu] > summary")) toggle(target);
    else target.click();
    return;
  }
  const field = visible("data-focus-key", key);
  if (field) {
    event.preventDefault();
    field.focus();
  }
}

document.addEventListener("keydown", (event) => {
  const field = event.target instanceof Element && event.target.closest(FIELDS);
  if (field) {
    if (event.key === "Escape") field.blur();
    return;
  }
  const held = event.ctrlKey || event.metaKey || event.altKey;
  if (!held && !event.repeat && !event.isComposing && !event.defaultPrevented) press(event);
});
