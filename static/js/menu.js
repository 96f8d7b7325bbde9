/* <details data-menu> closes on Escape, when something else is clicked, and when the focus moves out of it. */

function close(menu, { refocus }) {
  menu.open = false;
  if (refocus) menu.querySelector("summary").focus();
}

function openMenus() {
  return document.querySelectorAll("details[data-menu][open]");
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.target.closest("input, textarea, select")) return; // there, Escape leaves the field
  for (const menu of openMenus()) close(menu, { refocus: menu.contains(document.activeElement) });
});

document.addEventListener("click", (event) => {
  for (const menu of openMenus()) if (!menu.contains(event.target)) close(menu, { refocus: false });
});

document.addEventListener("focusin", (event) => {
  for (const menu of openMenus()) if (!menu.contains(event.target)) close(menu, { refocus: false });
});
