/* Decisions on their way to the server, one after the other in the order in which they were made, each until it is
   answered. Events tell what became of them: outbox:saved, outbox:refused, outbox:stuck. They outlive a reload. */

import { post } from "./focus-ask.js";
import { keep, kept } from "./focus-store.js";

const PAUSES = [1_000, 2_000, 5_000, 15_000]; // milliseconds before trying again; then always the last
const waiting = kept("outbox");
let working = null;
let tries = 0;
let timer = 0;

const tell = (name, detail) => document.dispatchEvent(new CustomEvent(`outbox:${name}`, { detail }));

export const all = () => [...waiting];

async function work() {
  while (waiting.length) {
    const entry = waiting[0];
    entry.isPosted = true; // from here on it may have been saved, whatever comes back
    save();
    const answer = await post(entry.url, new URLSearchParams(entry.body));
    if (answer.kind === "later") {
      tell("stuck", { ...answer, count: waiting.length });
      timer = setTimeout(go, PAUSES[Math.min(tries++, PAUSES.length - 1)]);
      return;
    }
    tries = 0;
    waiting.shift();
    save();
    tell(answer.kind, { entry, answer, count: waiting.length });
    for (const name of ["card", "body", "typed"]) delete entry[name]; // its pictures would be kept with it
  }
}

export function go() {
  clearTimeout(timer);
  working ??= work().finally(() => (working = null));
}

function save() {
  keep("outbox", waiting.map(({ card, ...plain }) => plain));
}

export function send(entry) {
  waiting.push(entry);
  save();
  go();
}

/* Whether it could be kept from being sent. */
export function takeBack(entry) {
  if (entry.isPosted || !entry.card) return false;
  waiting.splice(waiting.indexOf(entry), 1);
  save();
  return true;
}

/* When this one is answered; without one, when all are. */
export async function settled(entry) {
  while (entry ? waiting.includes(entry) : waiting.length) await new Promise((done) => setTimeout(done, 20));
}

addEventListener("beforeunload", (event) => waiting.length && event.preventDefault());
addEventListener("online", go);
go();
