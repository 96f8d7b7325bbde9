/* Within the words: Ctrl+Enter approves what is typed, and [data-take] writes what another side has into its field. */

document.addEventListener("keydown", (event) => {
  const form = event.target.closest?.("[data-words-form]");
  const wants = event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing;
  if (!form || !wants) return;
  event.preventDefault();
  event.target.blur(); // a tag that is being typed becomes one
  queueMicrotask(() => document.querySelector("[data-approve]")?.click());
});

function check(boxes, names) {
  for (const box of boxes.querySelectorAll("input[type=checkbox]")) box.checked = names.includes(box.value);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-take]");
  const field = button && document.getElementById(button.dataset.take);
  if (!field) return;
  event.preventDefault();
  const { value } = button.dataset;
  if (field.matches("[data-tags]")) field.dispatchEvent(new CustomEvent("tags:write", { detail: value }));
  else if ("value" in field) field.value = value;
  else check(field, value.split(", "));
  const entry = document.getElementById(`${field.id}-entry`) ?? field;
  if (entry.matches("input, textarea")) entry.focus();
});
