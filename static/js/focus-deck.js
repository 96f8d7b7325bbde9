/* The cards that come next, fetched ahead and kept outside the document with their pictures loaded and decoded. */

import { ask } from "./focus-outbox.js";

const DEPTH = 5;
const root = document.getElementById("focus");

export const ahead = [];
export let isAtTheEnd = false;
let edge = null; // the words farthest out that were ever fetched
let filling = null;

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
  const picture = card.querySelector("[data-pan] img");
  picture.decode().catch(() => {}); // it is shown as it loads
}

/* Fill up behind the card on show; what others are being shown by now is dropped. */
export function fill(current) {
  if (isAtTheEnd || ahead.length > DEPTH - 2) return Promise.resolve();
  filling ??= more(current).finally(() => (filling = null));
  return filling;
}

async function more(current) {
  const deck = [current, ...ahead].map((card) => card.dataset.words);
  const found = await load({ beyond: edge ?? current.dataset.words, deck, count: DEPTH - ahead.length });
  if (!found) return;
  const kept = ahead.filter((card) => !found.taken.has(card.dataset.words));
  const known = new Set(deck);
  const fresh = found.cards.filter((card) => !known.has(card.dataset.words));
  ahead.splice(0, ahead.length, ...kept, ...fresh);
  if (found.cards.length) edge = found.cards.at(-1).dataset.words;
  else isAtTheEnd = true;
}
