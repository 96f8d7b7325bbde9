/* [data-grid]: one tile holds the cursor. Arrows, Home and End move it, Shift takes what it passes along; Enter, or a
   long press of a finger, opens the photo. */

const LONG = 500; // milliseconds
const STEPS = { ArrowLeft: -1, ArrowRight: 1 };
let pressed = null;

const boxes = () => [...document.querySelectorAll("[data-grid] input[name=mark]")];

function hold(box) {
  for (const other of boxes()) other.tabIndex = other === box ? 0 : -1;
}

function columns(all) {
  const top = (box) => box.closest("[data-tile]").getBoundingClientRect().top;
  const second = all.findIndex((box) => top(box) > top(all[0]) + 1);
  return second < 0 ? all.length : second;
}

function target(key, all, here) {
  if (key === "Home") return 0;
  if (key === "End") return all.length - 1;
  const down = { ArrowUp: -1, ArrowDown: 1 }[key];
  const step = STEPS[key] ?? (down ? down * columns(all) : 0);
  const place = here + step;
  return step && place >= 0 && place < all.length ? place : here;
}

function move(event) {
  const all = boxes();
  const from = all.find((box) => box.tabIndex === 0);
  const isArrow = event.key.startsWith("Arrow") || event.key === "Home" || event.key === "End";
  if (!isArrow || !from) return;
  event.preventDefault();
  const entering = document.activeElement !== from;
  const to = entering ? from : all[target(event.key, all, all.indexOf(from))];
  if (!event.shiftKey || entering) to.dispatchEvent(new CustomEvent("grid:start", { bubbles: true }));
  to.focus();
  to.closest("[data-tile]").scrollIntoView({ block: "nearest" });
  if (event.shiftKey) to.dispatchEvent(new CustomEvent("grid:extend", { bubbles: true, detail: from }));
}

function open(tile) {
  tile.querySelector("a[data-open]").click();
}

document.addEventListener("keydown", (event) => {
  const inGrid = event.target.matches?.("[data-grid] input[name=mark]");
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (inGrid && event.key === "Enter") {
    event.preventDefault(); // it would submit the form
    open(event.target.closest("[data-tile]"));
  } else if (inGrid || event.target === document.body) {
    move(event);
  }
});

document.addEventListener("focusin", (event) => event.target.matches("[data-grid] input[name=mark]") && hold(event.target));

document.addEventListener("dblclick", (event) => {
  const tile = event.target.closest?.("[data-tile]");
  if (tile) open(tile);
});

document.addEventListener("pointerdown", (event) => {
  const tile = event.pointerType === "touch" && event.target.closest?.("[data-tile]");
  if (tile) pressed = setTimeout(() => open(tile), LONG);
});
for (const end of ["pointerup", "pointercancel", "pointermove"]) {
  document.addEventListener(end, (event) => {
    const trembles = end === "pointermove" && Math.hypot(event.movementX, event.movementY) < 4;
    if (!trembles) clearTimeout(pressed);
  });
}
document.addEventListener("contextmenu", (event) => {
  if (event.pointerType === "touch" && event.target.closest("[data-tile]")) event.preventDefault();
});

document.addEventListener("htmx:load", () => {
  const all = boxes();
  if (!all.length) return;
  hold(all.includes(document.activeElement) ? document.activeElement : all[0]);
  for (const link of document.querySelectorAll("[data-grid] a[data-open]")) link.tabIndex = -1; // Enter opens
});
