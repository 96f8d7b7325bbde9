/* #tray lists the decisions that were not saved, with the reason and a way to look at each again; and says when some
   are still on their way because the server cannot be reached or wants one to sign in. */

import { parse } from "./focus-deck.js";
import { go } from "./focus-outbox.js";

const tray = document.getElementById("tray");
const refused = []; // {card, item}; why is in the card's data-why
let stuck = null;

function button(text, act) {
  const element = document.createElement("button");
  element.type = "button";
  element.className = "btn small";
  element.textContent = text;
  element.addEventListener("click", act);
  return element;
}

function line(text, ...acts) {
  const item = document.createElement("div");
  item.className = "message";
  const said = document.createElement("p");
  said.textContent = text;
  item.append(said, ...acts);
  return item;
}

function take(entry) {
  refused.splice(refused.indexOf(entry), 1);
  entry.item.remove();
  return entry.card;
}

/* The card that has waited longest to be looked at again; its line goes. */
export function firstRefused() {
  return refused.length ? take(refused[0]) : null;
}

document.addEventListener("outbox:refused", ({ detail: { entry, answer } }) => {
  const card = answer.card ? parse(answer.card).cards[0] : entry.card;
  const why = `“${entry.name}” was not saved. ${answer.said}`;
  const kept = { card };
  if (card) card.dataset.why = why;
  const look = card && button("Look at it", () => document.dispatchEvent(new CustomEvent("tray:look", { detail: { card: take(kept) } })));
  kept.item = line(why, ...(look ? [look] : []));
  if (card) refused.push(kept);
  tray.append(kept.item);
});

document.addEventListener("outbox:stuck", ({ detail: { count, why, signIn } }) => {
  stuck?.remove();
  const acts = [button("Try now", go)];
  if (signIn) {
    const link = document.createElement("a");
    link.className = "btn small";
    link.textContent = "Sign in";
    link.target = "_blank";
    link.href = signIn;
    acts.unshift(link);
  }
  stuck = line(`${why} ${count === 1 ? "One decision is" : `${count} decisions are`} not saved yet; nothing is lost.`, ...acts);
  tray.prepend(stuck);
});

for (const name of ["outbox:saved", "outbox:refused"]) {
  document.addEventListener(name, () => {
    stuck?.remove();
    stuck = null;
  });
}
