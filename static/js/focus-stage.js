/* #focus: which card is on show, and the ways to another one. */

import { ahead, fill, isAtTheEnd, load } from "./focus-deck.js";
import * as outbox from "./focus-outbox.js";
import { draw } from "./focus-strip.js";
import { firstRefused } from "./focus-tray.js";

export const root = document.getElementById("focus");
export const undoForm = document.getElementById("undo");
const behind = []; // cards shown before, the newest last; what was decided on them is in data-verdict
let card = root?.querySelector("[data-card]");

export const current = () => card;

export function say(text) {
  document.getElementById("said").textContent = text;
}

function show(next, said) {
  card.replaceWith(next);
  card = next;
  document.dispatchEvent(new CustomEvent("htmx:load", { detail: { elt: card } })); // as for what htmx brings
  history.replaceState(history.state, "", card.dataset.url);
  card.querySelector("h1").focus({ preventScroll: true });
  scrollTo(0, 0);
  say(said);
  settle();
}

export function settle() {
  const redraw = () => draw(behind, card, ahead);
  redraw();
  for (const button of root.querySelectorAll("[data-undo]")) button.disabled = !undoForm.decision.value && !outbox.size();
  if (behind.length) root.querySelector("[data-go=previous]").hidden = false;
  fill(card).then(redraw);
}

export async function advance(said) {
  const from = card;
  if (!ahead.length) await fill(card);
  if (card !== from) return; // gone on already
  const next = ahead.shift();
  if (next) {
    behind.push(card);
    show(next, `${said} Next: ${next.dataset.name}.`);
  } else if (isAtTheEnd) {
    end(said);
  } else {
    say(`${said} The next photo cannot be loaded just now. Try again with →.`);
  }
}

/* What was not saved comes again, before the page says that all is done. */
async function end(said) {
  say(`${said} That was the last one.`);
  await outbox.settled();
  const refused = firstRefused();
  if (refused) bringBack(refused, refused.dataset.why);
  else location.assign(root.dataset.end);
}

/* What was decided on comes from the server again, as it stands now. */
export async function goBack() {
  const before = behind.at(-1);
  if (before?.dataset.verdict) await outbox.settled();
  const isReady = before && !before.dataset.verdict;
  const found = isReady ? { cards: [before] } : await load(before ? { of: before.dataset.photo } : { before: card.dataset.words });
  if (!found) return say("The photo before cannot be loaded just now.");
  if (!found.cards.length) return say("This is the first one.");
  if (before) behind.pop();
  if (!card.dataset.verdict) ahead.unshift(card);
  show(found.cards[0], `${found.cards[0].dataset.name}.`);
}

export function jump(photo) {
  const place = ahead.findIndex((other) => other.dataset.photo === photo);
  if (place < 0) return goBack();
  behind.push(card, ...ahead.splice(0, place));
  const next = ahead.shift();
  show(next, `${next.dataset.name}.`);
}

/* Show a card out of turn; the one on show comes after it. */
export function bringBack(other, said) {
  delete other.dataset.verdict;
  const same = (one) => one.dataset.photo === other.dataset.photo;
  for (const cards of [behind, ahead]) if (cards.some(same)) cards.splice(cards.findIndex(same), 1);
  if (!same(card) && !card.dataset.verdict) ahead.unshift(card);
  show(other, said);
}
