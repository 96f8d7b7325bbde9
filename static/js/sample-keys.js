/* Judging a sample: [data-also-key="1"] is clicked by a second key beside its data-key, and <link data-prefetch href="…">
   names the images of the photos that come next; each is fetched once. */

import { FIELDS } from "./fields.js";
import { openMenu } from "./menu.js";

const fetched = new Set();

function prefetch(address) {
  if (fetched.has(address)) return;
  fetched.add(address);
  new Image().src = address;
}

document.addEventListener("keydown", (event) => {
  const held = event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing;
  if (held || event.defaultPrevented || !(event.target instanceof Element) || event.target.closest(FIELDS) || openMenu()) return;
  const button = document.querySelector(`[data-also-key="${CSS.escape(event.key)}"]`);
  if (!button || button.disabled || !button.checkVisibility()) return;
  event.preventDefault();
  button.click();
});

document.addEventListener("htmx:load", (event) => {
  for (const link of event.detail.elt.querySelectorAll("link[data-prefetch]")) prefetch(link.href);
});
