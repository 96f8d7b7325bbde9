/* [data-complete] is where tags are found that begin with what is typed; they are offered in a list below the field.
   What is chosen from it becomes a chip where the field has chips, and else stays in the field. */

const WAIT = 120; // milliseconds without a key before the server is asked
const KEPT = new Map();
let timer = 0;

async function found(address) {
  if (!KEPT.has(address)) {
    const response = await fetch(address, { headers: { Accept: "application/json" } }).catch(() => null);
    const isJson = response?.ok && response.headers.get("Content-Type")?.startsWith("application/json");
    if (!isJson) return [];
    KEPT.set(address, (await response.json()).tags);
  }
  return KEPT.get(address);
}

async function offer(entry, plain, list) {
  const typed = entry.value.trim();
  const address = `${plain.dataset.complete}?${new URLSearchParams({ q: typed })}`;
  const tags = typed ? await found(address) : [];
  if (entry.value.trim() !== typed) return; // typed on meanwhile
  const options = tags.map((tag) => Object.assign(document.createElement("option"), { value: tag }));
  list.replaceChildren(...options);
}

function complete(plain) {
  const entry = document.getElementById(`${plain.id}-entry`) ?? plain;
  if (entry.hasAttribute("list")) return;
  const list = document.createElement("datalist");
  list.id = `${plain.id}-list`;
  entry.after(list);
  entry.setAttribute("list", list.id);
  entry.addEventListener("input", (event) => {
    clearTimeout(timer);
    const isChosen = event.inputType === "insertReplacementText" || !event.inputType;
    if (isChosen && [...list.options].some((option) => option.value === entry.value)) {
      if (entry !== plain) entry.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
      list.replaceChildren();
    } else {
      timer = setTimeout(() => offer(entry, plain, list), WAIT);
    }
  });
}

document.addEventListener("htmx:load", (event) => {
  for (const plain of event.detail.elt.querySelectorAll("[data-complete]")) complete(plain);
});
