/* What U takes back: the newest decision, which is settled when it is pressed, then the one before. What cannot be taken
   back is said to be so, and the press takes nothing else. */

import { post } from "./focus-ask.js";
import { parse } from "./focus-deck.js";
import * as outbox from "./focus-outbox.js";
import { bringBack, say, stay } from "./focus-stage.js";

const form = document.getElementById("undo");
const asked = new Set(); // decisions that the server was asked to undo
const made = outbox.all(); // the newest last: entries of the outbox, with the `decision` that came of each
if (form?.decision.value) made.unshift({ decision: form.decision.value, name: form.dataset.name });

export function remember(entry) {
  made.push(entry);
  draw();
}

function whyNot({ kind, name, isRefused }) {
  if (isRefused) return `“${name}” was not saved, so there is nothing to take back.`;
  return kind === "again" ? `Having “${name}” described again cannot be taken back.` : "";
}

function draw() {
  const last = made.at(-1);
  const why = last && whyNot(last);
  const what = why ? `: ${why}` : last ? ` the decision on “${last.name}”` : "";
  for (const button of document.querySelectorAll("[data-undo]")) {
    button.disabled = !last;
    button.title = `Undo${what}`;
    button.querySelector(".sr").textContent = what;
  }
}

/* The answer of the server, where it was asked. */
export async function undo() {
  while (asked.has(made.at(-1)?.decision)) made.pop();
  const entry = made.pop();
  const place = made.length;
  draw();
  if (!entry) return say("Nothing is left to undo here.");
  if (outbox.takeBack(entry)) return bringBack(entry.card, "Taken back; it had not been sent.");
  if (whyNot(entry)) return say(`${whyNot(entry)} ${nextPress()}`.trim());
  stay();
  if (!entry.decision) say(`“${entry.name}” will be undone as soon as it is saved.`);
  await outbox.settled(entry);
  if (!entry.decision) return say(whyNot(entry));
  return takeBack(entry, place);
}

function nextPress() {
  const next = made.at(-1);
  return next && !whyNot(next) ? `Press U once more to undo the decision on “${next.name}”.` : "";
}

async function takeBack(entry, place) {
  const body = new URLSearchParams(new FormData(form));
  body.set("decision", entry.decision);
  asked.add(entry.decision);
  const answer = await post(form.action, body);
  if (answer.kind === "later") {
    asked.delete(entry.decision);
    made.splice(place, 0, entry);
    say(`${answer.why} “${entry.name}” may not be undone yet: press U once more then.`);
  } else {
    if (!made.length && answer.undo && !asked.has(answer.undo)) made.push({ decision: answer.undo, name: answer.undoes });
    const card = answer.card && parse(answer.card).cards[0];
    if (card) bringBack(card, answer.said);
    else say(answer.said);
  }
  draw();
  return answer;
}

document.addEventListener("outbox:saved", ({ detail: { entry, answer } }) => {
  if (entry.kind !== "again") entry.decision = answer.undo;
});
document.addEventListener("outbox:refused", ({ detail: { entry } }) => {
  entry.isRefused = true;
  draw();
});
document.addEventListener("htmx:load", draw);
draw();
