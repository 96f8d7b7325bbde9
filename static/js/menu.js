/* <details data-menu> closes on Escape, when something else is clicked, and when the focus moves out of it. A key that
   opens one leads into it, to the field in [data-first] where there is one; Escape leads back to where one was. */

import { FIELDS } from "./fields.js";

let entered = null; // the menu that a key has opened last
let origin = null; // where the focus was then

export function openMenu() {
  return document.querySelector("details[data-menu][open]");
}

function begin(menu) {
  const first = menu.querySelector("[data-first]");
  (first?.matches(FIELDS) ? first : first?.querySelector(FIELDS))?.focus();
}

/* The summary's key was pressed. */
export function toggle(summary) {
  const menu = summary.closest("details");
  if (menu.open) return close(menu, { refocus: true });
  const from = document.activeElement;
  summary.click();
  if (!menu.open) return; // there is nothing to do with it just now
  [entered, origin] = [menu, from];
  summary.focus();
  begin(menu);
}

function close(menu, { refocus }) {
  menu.open = false;
  if (!refocus) return;
  const isBack = menu === entered && origin.isConnected;
  if (isBack && origin === document.body) document.activeElement.blur();
  else (isBack ? origin : menu.querySelector("summary")).focus();
}

function closeOthers(event) {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(event.target)) close(menu, { refocus: false });
  }
}

document.addEventListener("keydown", (event) => {
  const menu = openMenu();
  if (event.key !== "Escape" || event.isComposing || !menu) return;
  const field = event.target.closest(FIELDS);
  if (field && !field.closest("[data-first]")) menu.querySelector("summary").focus(); // its keys act again
  else close(menu, { refocus: menu.contains(document.activeElement) });
});

document.addEventListener("click", (event) => {
  if (event.target.closest?.("summary[aria-disabled=true]")) event.preventDefault();
  closeOthers(event);
});

document.addEventListener("focusin", closeOthers);

// What is in it may come later.
document.addEventListener("htmx:load", ({ detail: { elt } }) => {
  if (entered?.open && entered.contains(elt)) begin(entered);
});
