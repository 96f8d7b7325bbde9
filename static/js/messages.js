/* [data-dismiss] takes its [data-message] away; [data-message="success"] goes by itself once nobody looks at it. */

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
