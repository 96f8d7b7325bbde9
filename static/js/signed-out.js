/* [data-signed-out] is what is said when a request finds the person signed out. The page stays as it is, with all that
   was marked and typed: they sign in in another tab, come back, and press again. */

const template = document.querySelector("[data-signed-out]");
const face = (root) => root.querySelector(".account > summary")?.textContent.trim();

/* Signed in again, the forms of the page need the new token: where it is still the same person. */
async function renew() {
  const answer = await fetch(template.dataset.page).catch(() => null);
  const page = answer?.ok && new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!page || !face(page) || face(page) !== face(document)) return;
  const { value } = page.querySelector("[name=csrfmiddlewaretoken]");
  for (const field of document.querySelectorAll("[name=csrfmiddlewaretoken]")) field.value = value;
  document.querySelector("[data-message=signed-out]")?.remove();
  removeEventListener("focus", renew);
}

document.addEventListener("htmx:beforeOnLoad", (event) => {
  const signIn = event.detail.xhr.getResponseHeader("HX-Redirect");
  if (!template || !signIn?.startsWith(template.dataset.signedOut)) return;
  event.preventDefault(); // else the whole page would go there
  document.querySelector("[data-message=signed-out]")?.remove();
  const message = template.content.cloneNode(true);
  message.querySelector("a").href = signIn;
  document.getElementById("messages").append(message);
  addEventListener("focus", renew);
});
