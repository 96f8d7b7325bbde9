/* #tray lists the decisions that were not saved, with the reason and a way to look at each again; and says when some
   are still on their way because the server cannot be reached or wants one to sign in. */

import { parse } from "./focus-deck.js";
import { go } from "./focus-outbox.js";
import { keep, kept } from "./focus-store.js";
import { inWords, retype, without } from "./focus-typed.js";

const tray = document.getElementById("tray");
const refused = []; // {card, item}, and what brings the card again after a reload: its html and the fields typed in it
let isKept = true;
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

function save() {
  isKept = keep("refused", refused.map(({ why, html, typed }) => ({ why, html, typed })));
}

function take(entry) {
  refused.splice(refused.indexOf(entry), 1);
  save();
  entry.item.remove();
  return entry.card;
}

function look(entry) {
  const { card } = entry;
  if (document.getElementById("focus")) document.dispatchEvent(new CustomEvent("tray:look", { detail: { card: take(entry) } }));
  else location.assign(card.dataset.url); // where it stays in the tray
}

/* A line for what was not saved, and a way to its card; where there is none, what was sent, to be copied. */
function list({ why, html, typed = {}, card }) {
  const entry = { why, html, typed, card: card ?? parse(html).cards[0] };
  const act = entry.card ? button("Look at it", () => look(entry)) : button("Put it away", () => take(entry));
  if (!card && entry.card) retype(entry.card, typed);
  if (entry.card) entry.card.dataset.why = why;
  entry.item = line(why, act);
  tray.append(entry.item);
  refused.push(entry);
  save();
}

/* The card that has waited longest to be looked at again; its line goes. */
export function firstRefused() {
  const entry = refused.find(({ card }) => card);
  return entry ? take(entry) : null;
}

document.addEventListener("outbox:refused", ({ detail: { entry, answer } }) => {
  const why = `“${entry.name}” was not saved. ${answer.said}`;
  if (answer.card) list({ why, html: answer.card, typed: without(entry.typed ?? {}, entry.kind) }); // what was sent is in it
  else if (entry.card) list({ why, html: entry.card.outerHTML, typed: entry.typed, card: entry.card });
  else list({ why: why + inWords(entry.body), html: "" });
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

addEventListener("beforeunload", (event) => !isKept && event.preventDefault());
if (tray) for (const entry of kept("refused")) list(entry);
