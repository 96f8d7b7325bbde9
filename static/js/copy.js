/* [data-copy="id"] puts the value of the field with that id into the clipboard; where it may not, it marks it. */

async function copy(button) {
  const field = document.getElementById(button.dataset.copy);
  const label = button.querySelector("span");
  field.focus();
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    label.textContent = "Copied";
  } catch {
    label.textContent = "Press Ctrl+C"; // without HTTPS there is no clipboard
  }
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}
