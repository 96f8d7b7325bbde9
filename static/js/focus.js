/* #focus: a decision shows the next photo at once and is saved behind it; one key undoes it. Every form and link works
   without this module too, page by page. */

import * as outbox from "./focus-outbox.js";
import { advance, bringBack, current, goBack, jump, root, say, settle } from "./focus-stage.js";
import { typed } from "./focus-typed.js";
import { remember, undo } from "./focus-undo.js";

const SAID = { approve: "Approved.", reject: "Rejected.", again: "Asked for new words.", skip: "Skipped." };

function decide(form, submitter) {
  const card = current();
  if (card.dataset.verdict) return; // it is on its way already
  const body = new URLSearchParams(new FormData(form, submitter)).toString();
  const kind = form.dataset.behind;
  card.dataset.verdict = kind;
  form.closest("details")?.removeAttribute("open");
  const entry = { url: form.action, body, card, name: card.dataset.name, kind, typed: typed(card) };
  outbox.send(entry);
  remember(entry);
  advance(SAID[kind]);
}

/* How many wait, and what could be said once for all of them. */
function tell({ waiting, offer }) {
  const count = document.getElementById("waiting-count");
  const place = document.getElementById("offer");
  if (count && waiting) count.outerHTML = waiting;
  if (!offer?.trim() || place.innerHTML.includes(offer)) return;
  place.innerHTML = offer;
  window.htmx?.process(place);
}

document.addEventListener("submit", (event) => {
  const isUndo = event.target.id === "undo";
  if (!root || event.defaultPrevented || !(isUndo || event.target.dataset.behind)) return;
  event.preventDefault();
  if (isUndo) undo().then((answer) => answer && tell(answer));
  else decide(event.target, event.submitter);
});

document.addEventListener("click", (event) => {
  const isPlain = !event.ctrlKey && !event.metaKey && !event.shiftKey;
  const link = root && isPlain && event.target.closest?.("[data-go]");
  if (!link) return;
  event.preventDefault();
  if (link.dataset.go === "previous") goBack();
  else if (link.dataset.go === "jump") jump(link.dataset.photo);
  else advance(link.dataset.go === "skip" ? SAID.skip : "");
});

document.addEventListener("outbox:saved", ({ detail: { answer } }) => {
  if (root && answer.note) say(answer.note);
  tell(answer);
});

document.addEventListener("tray:look", ({ detail: { card } }) => bringBack(card, card.dataset.why));

if (root) settle();
