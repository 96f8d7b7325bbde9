/* [data-zoom] and a click on the photo show all of it, or every pixel; then it is moved by dragging and by the arrows. */

import { FIELDS } from "./fields.js";

const STEP = 120; // CSS pixels an arrow moves the photo by
const LEAST = 1.6; // times as wide as the whole picture was
const figure = () => document.querySelector("#focus [data-pan]");
let drag = null;

function full(image) {
  const large = new Image();
  large.src = image.dataset.full;
  large.decode().then(
    () => {
      image.src = large.src;
      if (figure()?.contains(image) && figure().classList.contains("zoomed")) widen(image, pixels(large));
    },
    () => {}, // what is shown already stays
  );
}

const pixels = (image) => image.naturalWidth / devicePixelRatio;

/* Never smaller than it was: a small picture is enlarged. */
function widen(image, width) {
  image.style.width = `${Math.max(width, image.clientWidth)}px`;
}

/* `x` and `y` are the point of the picture to look at, as shares of it. */
function toggle({ x = 0.5, y = 0.5 } = {}) {
  const box = figure();
  const image = box.querySelector("img");
  const fitting = image.clientWidth;
  const on = box.classList.toggle("zoomed");
  image.style.width = on ? `${Math.max(pixels(image), LEAST * fitting)}px` : "";
  reach(box, on);
  if (!on) return;
  box.scrollTo(x * image.clientWidth - box.clientWidth / 2, y * image.clientHeight - box.clientHeight / 2);
  full(image);
}

/* What scrolls is reached by Tab, and says what it is. */
function reach(box, on) {
  if (on) {
    box.tabIndex = 0;
    box.setAttribute("aria-label", "Photo, zoomed: the arrows move it");
  } else {
    const had = box.contains(document.activeElement);
    for (const name of ["tabindex", "aria-label"]) box.removeAttribute(name);
    if (had) document.querySelector("#focus h1").focus({ preventScroll: true });
  }
}

document.addEventListener("click", (event) => {
  if (event.target.closest?.("[data-zoom]")) {
    event.preventDefault();
    toggle();
  }
});

document.addEventListener("pointerdown", (event) => {
  const box = event.target.closest?.("#focus [data-pan]");
  if (!box || event.button) return;
  drag = { box, x: event.clientX, y: event.clientY, left: box.scrollLeft, top: box.scrollTop, far: false };
});

document.addEventListener("pointermove", (event) => {
  if (!drag) return;
  const [x, y] = [event.clientX - drag.x, event.clientY - drag.y];
  drag.far ||= Math.hypot(x, y) > 5;
  if (event.pointerType === "mouse" && drag.box.classList.contains("zoomed")) drag.box.scrollTo(drag.left - x, drag.top - y);
});

document.addEventListener("pointercancel", () => (drag = null)); // the browser scrolls, or a pinch

document.addEventListener("pointerup", (event) => {
  const begun = drag;
  drag = null;
  if (!begun || begun.far || event.target.tagName !== "IMG") return;
  const place = event.target.getBoundingClientRect();
  toggle({ x: (event.clientX - place.x) / place.width, y: (event.clientY - place.y) / place.height });
});

const MOVES = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };

// In the capture phase: the same arrows are the keys for previous and next.
document.addEventListener(
  "keydown",
  (event) => {
    const box = figure();
    const types = event.target.closest?.(FIELDS);
    if (!box?.classList.contains("zoomed") || types || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") toggle();
    else if (MOVES[event.key]) box.scrollBy(...MOVES[event.key]);
    else return;
    event.preventDefault();
  },
  true,
);
