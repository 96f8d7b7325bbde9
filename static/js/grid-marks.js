/* [data-grid]: tiles are marked by click, Space, X, ranges with Shift, all with Ctrl+A; the buttons say what they
   will do. The check boxes stay the truth and are what is submitted. */

import { FIELDS } from "./fields.js";
import { openMenu } from "./menu.js";

let anchor = null; // where a range begins
let before = null; // what was marked when it began

const form = () => document.querySelector("[data-grid]");
const boxes = () => [...(form()?.querySelectorAll("input[name=mark]") ?? [])];

function write(name, text) {
  for (const element of document.querySelectorAll(`[data-says="${name}"]`)) element.textContent = text;
}

function tell({ aloud }) {
  if (!form()) return;
  const all = boxes();
  const marked = all.filter((box) => box.checked);
  const waiting = all.filter((box) => "waits" in box.dataset);
  const chosen = waiting.filter((box) => !box.checked);
  const open = chosen.reduce((sum, box) => sum + Number(box.dataset.frames), 0); // of bursts, all frames
  const left = waiting.length - chosen.length;
  const shown = open > chosen.length ? ` (${chosen.length} shown)` : "";
  write("approve", `Approve ${open}${shown}${left ? `, leave ${left}` : ""}`);
  write("marked", marked.length ? `${marked.length} of ${all.length} marked` : `${all.length} on this page`);
  write("reject", marked.length ? `Reject ${marked.length} marked` : "Reject marked");
  write("about", marked.length ? `of the ${marked.length} marked` : `of all ${all.length} on this page`);
  for (const button of document.querySelectorAll("[data-needs=open]")) button.disabled = !open;
  for (const summary of document.querySelectorAll("[data-needs=marked]")) {
    summary.setAttribute("aria-disabled", String(!marked.length));
  }
  if (aloud) write("aloud", `${marked.length} marked. ${open} would be approved.`);
  form().dispatchEvent(new CustomEvent("grid:marks"));
}

function settle(box) {
  [anchor, before] = [box, null];
  tell({ aloud: true });
}

function extend(to, from = to) {
  const all = boxes();
  if (!anchor?.isConnected) anchor = from;
  before ??= new Set(all.filter((box) => box.checked));
  const [first, last] = [all.indexOf(anchor), all.indexOf(to)].sort((a, b) => a - b);
  all.forEach((box, place) => (box.checked = before.has(box) || (place >= first && place <= last)));
  tell({ aloud: true });
}

function markAll() {
  const on = !boxes().every((box) => box.checked);
  for (const box of boxes()) box.checked = on;
  settle(anchor);
}

function current() {
  return boxes().find((box) => box === document.activeElement) ?? boxes().find((box) => box.tabIndex === 0);
}

function press(event) {
  const held = event.ctrlKey || event.metaKey;
  const key = event.key.toLowerCase();
  if (held && key === "a" && !event.shiftKey && !event.altKey) {
    event.preventDefault();
    markAll();
  } else if (!held && !event.altKey && key === "x" && !event.repeat && current()) {
    event.preventDefault();
    current().focus();
    current().click();
  }
}

document.addEventListener("keydown", (event) => {
  if (form() && !openMenu() && !event.target.closest?.(FIELDS)) press(event);
});

document.addEventListener("click", (event) => {
  const box = event.target.closest?.("[data-tile]")?.querySelector("input[name=mark]");
  if (!box || !event.shiftKey || event.target.closest("a")) return;
  event.preventDefault(); // else the box would be toggled too
  box.focus();
  setTimeout(() => extend(box)); // a box that was clicked itself is put back only after this event
});

document.addEventListener("click", (event) => {
  if (!event.target.closest?.("[data-needs=marked][aria-disabled=true]")) return;
  for (const name of ["marked", "aloud"]) write(name, "Mark what to reject first");
});

document.addEventListener("mousedown", (event) => {
  if (event.shiftKey && event.target.closest?.("[data-tile]")) event.preventDefault(); // no text is selected
});

document.addEventListener("change", (event) => event.target.name === "mark" && settle(event.target));
document.addEventListener("grid:extend", (event) => extend(event.target, event.detail));
document.addEventListener("grid:start", (event) => ([anchor, before] = [event.target, null]));
document.addEventListener("htmx:load", () => tell({ aloud: false }));
window.addEventListener("pageshow", () => tell({ aloud: false }));
