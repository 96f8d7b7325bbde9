/* Decisions on their way to the server, one after the other in the order in which they were made, each until it is
   answered. Events tell what became of them: outbox:saved, outbox:refused, outbox:stuck. They outlive a reload. */

const PATIENCE = 30_000; // milliseconds for an answer
const PAUSES = [1_000, 2_000, 5_000, 15_000]; // before trying again; then always the last
const key = `outbox-${document.getElementById("tray")?.dataset.who}`; // one person's are never sent as another's
const waiting = [];
let working = null;
let tries = 0;
let timer = 0;

const tell = (name, detail) => document.dispatchEvent(new CustomEvent(`outbox:${name}`, { detail }));

export const size = () => waiting.length;

export async function ask(url, body) {
  const headers = { "HX-Request": "true", "HX-Current-URL": location.href };
  const signal = AbortSignal.timeout(PATIENCE);
  const response = await fetch(url, { method: body ? "POST" : "GET", body, headers, signal }).catch(() => null);
  if (!response) return { kind: "later", why: "The server cannot be reached." };
  if (response.headers.has("HX-Redirect")) {
    return { kind: "later", why: "You are signed out.", signIn: response.headers.get("HX-Redirect") };
  }
  if (response.status >= 500 || response.status === 429) return { kind: "later", why: "The server is busy or restarting." };
  const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
  if (!isJson) return { kind: "other", status: response.status, text: await response.text() };
  return { kind: response.ok ? "saved" : "refused", ...(await response.json()) };
}

async function post(entry, { renewed = false } = {}) {
  const body = new URLSearchParams(entry.body);
  const answer = await ask(entry.url, body);
  if (answer.kind !== "other") return answer;
  if (answer.status === 403 && !renewed) {
    const page = await ask(location.href); // signed in again meanwhile, the page's token is another
    const token = page.text && new DOMParser().parseFromString(page.text, "text/html").querySelector("[name=csrfmiddlewaretoken]");
    if (page.kind === "later") return page;
    if (token) {
      body.set("csrfmiddlewaretoken", token.value);
      entry.body = body.toString();
      return post(entry, { renewed: true });
    }
  }
  return { kind: "refused", said: `The server would not take it (${answer.status}).`, card: "" };
}

async function work() {
  while (waiting.length) {
    const entry = waiting[0];
    const answer = await post(entry);
    if (answer.kind === "later") {
      tell("stuck", { ...answer, count: waiting.length });
      timer = setTimeout(go, PAUSES[Math.min(tries++, PAUSES.length - 1)]);
      return;
    }
    tries = 0;
    waiting.shift();
    keep();
    tell(answer.kind, { entry, answer, count: waiting.length });
  }
}

export function go() {
  clearTimeout(timer);
  working ??= work().finally(() => (working = null));
}

function keep() {
  const plain = waiting.map(({ url, body, name, kind }) => ({ url, body, name, kind }));
  if (plain.length) sessionStorage.setItem(key, JSON.stringify(plain));
  else sessionStorage.removeItem(key);
}

export function send(entry) {
  waiting.push(entry);
  keep();
  go();
}

/* The newest decision, where it has not been sent yet. */
export function takeBack() {
  const isUnderWay = working && waiting.length === 1;
  if (isUnderWay || !waiting.at(-1)?.card) return null;
  const entry = waiting.pop();
  keep();
  return entry;
}

export async function settled() {
  while (waiting.length) await new Promise((done) => setTimeout(done, 20));
}

addEventListener("beforeunload", (event) => waiting.length && event.preventDefault());
addEventListener("online", go);
waiting.push(...JSON.parse(sessionStorage.getItem(key) ?? "[]"));
go();
