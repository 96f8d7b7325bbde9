/* Asks the server for the person whose page this is, and for nobody who has signed in meanwhile. An answer has a `kind`:
   saved, refused, later where nobody knows whether it was taken, other where it is no JSON. */

const PATIENCE = 30_000; // milliseconds for an answer
const { who, name } = document.getElementById("tray")?.dataset ?? {};
let token = null; // newer than those of the page, once the person has signed in again

export { who };

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
  const answer = await (isJson ? response.json() : response.text()).catch(() => null);
  if (answer === null) return { kind: "later", why: "The answer was cut off." };
  if (!isJson) return { kind: "other", status: response.status, text: answer };
  return { kind: response.ok ? "saved" : "refused", ...answer };
}

/* Post what a form holds, as this page's person; once more where they have signed in again since the page was made. */
export async function post(url, body) {
  body.set("behind", "1");
  body.set("by", who);
  const send = () => {
    if (token) body.set("csrfmiddlewaretoken", token);
    return ask(url, body);
  };
  let answer = await send();
  if (answer.status === 403) answer = (await renew()) ?? (await send());
  if (answer.kind !== "other") return answer;
  return { kind: "refused", said: `The server would not take it (${answer.status}).`, card: "" };
}

/* Take the token of a page made now, where it is the same person's; else come back with why one has to wait. */
async function renew() {
  const answer = await ask(location.pathname); // without a photo, which somebody else might not be shown
  if (answer.kind === "later") return answer;
  const page = new DOMParser().parseFromString(answer.text ?? "", "text/html");
  const now = page.getElementById("tray")?.dataset;
  if (!now) return null;
  if (now.who !== who) {
    return { kind: "later", why: `${now.name} is signed in here now. What ${name} decided waits until ${name} signs in again.` };
  }
  token = page.querySelector("[name=csrfmiddlewaretoken]").value;
  write(document);
  return null;
}

function write(box) {
  for (const field of box.querySelectorAll("[name=csrfmiddlewaretoken]")) field.value = token;
}

document.addEventListener("htmx:load", (event) => token && write(event.detail.elt)); // cards that were ready before
