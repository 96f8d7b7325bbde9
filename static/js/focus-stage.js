/* #focus: which card is on show, and the ways to another one. */

import { ahead, behind, fill, isAtTheEnd, leave, load } from "./focus-deck.js";
import * as outbox from "./focus-outbox.js";
import { draw } from "./focus-strip.js";
import { firstRefused } from "./focus-tray.js";
import { retype, typed } from "./focus-typed.js";

export const root = document.getElementById("focus");
let card = root?.querySelector("[data-card]");
let [turns, stays] = [0, 0]; // how often a card was shown, and something taken back

export const current = () => card;

export function say(text) {
  document.getElementById("said").textContent = text;
}

function show(next, said) {
  card.replaceWith(next);
  card = next;
  turns += 1;
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
  if (behind.length) root.querySelector("[data-go=previous]").hidden = false;
  fill(card).then(redraw);
}

export async function advance(said) {
  const turn = turns;
  if (!ahead.length) await fill(card);
  if (turns !== turn) return; // gone on already
  const next = ahead.shift();
  if (next) {
    leave(card);
    show(next, `${said} Next: ${next.dataset.name}.`);
  } else if (isAtTheEnd) {
    end(said);
  } else {
    say(`${said} The next photo cannot be loaded just now. Try again with →.`);
  }
}

/* What is taken back keeps the page from being left for the one that says that all is done. */
export const stay = () => (stays += 1);

/* What was not saved comes again, before the page says that all is done. */
async function end(said) {
  const before = stays;
  say(`${said} That was the last one.`);
  await outbox.settled();
  if (stays !== before) return;
  const refused = firstRefused();
  if (refused) bringBack(refused, refused.dataset.why);
  else location.assign(root.dataset.end);
}

/* What was decided on comes from the server again, as it stands now. */
export async function goBack() {
  const turn = turns;
  const before = behind.at(-1);
  if (before?.dataset.verdict) await outbox.settled();
  const isReady = before && !before.dataset.verdict;
  const found = isReady ? { cards: [before] } : await load(before ? { of: before.dataset.photo } : { before: card.dataset.words });
  if (turns !== turn) return; // gone somewhere already
  if (!found) return say("The photo before cannot be loaded just now.");
  if (!found.cards.length) return say("This is the first one.");
  if (before) behind.pop();
  if (!card.dataset.verdict) ahead.unshift(card);
  show(found.cards[0], `${found.cards[0].dataset.name}.`);
}

export function jump(photo) {
  const place = ahead.findIndex((other) => other.dataset.photo === photo);
  if (place < 0) return goBack();
  leave(card);
  behind.push(...ahead.splice(0, place));
  const next = ahead.shift();
  show(next, `${next.dataset.name}.`);
}

/* Show a card out of turn; the one on show comes after it. */
export function bringBack(other, said) {
  const same = (one) => one.dataset.photo === other.dataset.photo;
  if (same(card) && other !== card && !card.dataset.verdict) retype(other, typed(card));
  delete other.dataset.verdict;
  stay();
  for (const cards of [behind, ahead]) if (cards.some(same)) cards.splice(cards.findIndex(same), 1);
  if (!same(card) && !card.dataset.verdict) ahead.unshift(card);
  show(other, said);
}
