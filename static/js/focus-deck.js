/* The cards that come next, fetched ahead and kept outside the document with their pictures loaded and decoded; and
   those that were shown before. */

import { ask } from "./focus-ask.js";
import { begin, isTyped } from "./focus-typed.js";

const DEPTH = 5;
const root = document.getElementById("focus");

export const ahead = [];
export const behind = []; // the newest last; what was decided on them is in data-verdict
export let isAtTheEnd = false;
let edge = null; // the words farthest out that were ever fetched
let filling = null;

for (const card of root?.querySelectorAll("[data-card]") ?? []) begin(card);

export function parse(html) {
  const box = document.createElement("div"); // of this document, so that its pictures load
  box.innerHTML = html;
  const cards = [...box.querySelectorAll("[data-card]")];
  for (const card of cards) prepare(card);
  return { cards, taken: new Set(box.querySelector("[data-taken]")?.dataset.taken.split(",")) };
}

/* Cards that the server is asked for: `beyond`, `before` or `of` something; null where it cannot be asked. */
export async function load(wish) {
  const address = new URL(root.dataset.cards, location.href);
  for (const [name, value] of Object.entries(wish)) address.searchParams.set(name, value);
  const answer = await ask(address);
  return answer.kind === "other" && answer.status === 200 ? parse(answer.text) : null;
}

function prepare(card) {
  begin(card);
  const picture = card.querySelector("[data-pan] img");
  picture.decode().catch(() => {}); // it is shown as it loads
}

/* Of a card that was decided on, what the strip needs: its pictures are large, and it would come from the server again. */
export function leave(card) {
  behind.push(card.dataset.verdict ? card.cloneNode(false) : card);
}

/* Fill up behind the card on show; what others are being shown by now is dropped, unless the person has typed on it. */
export function fill(current) {
  if (isAtTheEnd || ahead.length > DEPTH - 2) return Promise.resolve();
  filling ??= more(current).finally(() => (filling = null));
  return filling;
}

async function more(current) {
  const deck = [current, ...ahead].map((card) => card.dataset.words);
  const found = await load({ beyond: edge ?? current.dataset.words, deck, count: DEPTH - ahead.length });
  if (!found) return;
  const kept = ahead.filter((card) => !found.taken.has(card.dataset.words) || isTyped(card));
  const known = new Set(deck);
  const fresh = found.cards.filter((card) => !known.has(card.dataset.words));
  ahead.splice(0, ahead.length, ...kept, ...fresh);
  if (found.cards.length) edge = found.cards.at(-1).dataset.words;
  else isAtTheEnd = true;
}
