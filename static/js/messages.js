/* [data-dismiss] takes its [data-message] away; [data-message="success"] goes by itself once nobody looks at it.
   [data-unanswered] is what is said when a form got no answer, or the server's word that it had trouble. */

const SHOWN = 8000; // milliseconds

function fade(message) {
  const looked = () => message.matches(":hover, :focus-within");
  setTimeout(() => (looked() ? fade(message) : message.remove()), SHOWN);
}

document.addEventListener("click", (event) => {
  event.target.closest("[data-dismiss]")?.closest("[data-message]")?.remove();
});

document.addEventListener("htmx:load", (event) => {
  const root = event.detail.elt;
  const messages = [...root.querySelectorAll('[data-message="success"]')];
  if (root.matches('[data-message="success"]')) messages.push(root);
  messages.forEach(fade);
});

for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => {
    const template = document.querySelector("[data-unanswered]");
    if (!template || !event.detail.elt.matches("form, form *:is(button, input)")) return; // what a page asks by itself
    document.querySelector("[data-message=unanswered]")?.remove();
    document.getElementById("messages").append(template.content.cloneNode(true));
  });
}
