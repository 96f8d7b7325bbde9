/* #focus: a decision shows the next photo at once and is saved behind it; one key undoes it. Every form and link works
   without this module too, page by page. */

import { parse } from "./focus-deck.js";
import * as outbox from "./focus-outbox.js";
import { advance, bringBack, current, goBack, jump, root, say, settle, undoForm } from "./focus-stage.js";

const SAID = { approve: "Approved.", reject: "Rejected.", again: "Asked for new words.", skip: "Skipped." };

function decide(form, submitter) {
  const card = current();
  if (card.dataset.verdict) return; // it is on its way already
  const body = new URLSearchParams(new FormData(form, submitter));
  body.set("behind", "1");
  const kind = form.dataset.behind;
  card.dataset.verdict = kind;
  form.closest("details")?.removeAttribute("open");
  outbox.send({ url: form.action, body: body.toString(), card, name: card.dataset.name, kind });
  advance(SAID[kind]);
}

async function undo() {
  const unsent = outbox.takeBack();
  if (unsent) return bringBack(unsent.card, "Taken back; it had not been sent.");
  await outbox.settled();
  const body = new URLSearchParams(new FormData(undoForm));
  body.set("behind", "1");
  const answer = await outbox.ask(undoForm.action, body);
  if (answer.undo !== undefined) undoForm.decision.value = answer.undo;
  tell(answer);
  const card = answer.card && parse(answer.card).cards[0];
  if (card) bringBack(card, answer.said);
  else say(answer.said ?? answer.why ?? "That could not be undone just now.");
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
  const isOurs = root && (event.target.dataset.behind || event.target === undoForm);
  if (!isOurs || event.defaultPrevented) return;
  event.preventDefault();
  if (event.target === undoForm) undo();
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
  if (undoForm) undoForm.decision.value = answer.undo;
  if (root && answer.note) say(answer.note);
  tell(answer);
});

document.addEventListener("tray:look", ({ detail: { card } }) => {
  if (root) bringBack(card, card.dataset.why);
  else location.assign(card.dataset.url);
});

if (root) settle();
