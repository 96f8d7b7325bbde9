/* <input data-tags> with comma separated tags, shown as chips. The input stays the truth and is what is submitted;
   without this module it is an ordinary text field. */

const enhanced = new WeakSet();

function parse(text) {
  const seen = new Set();
  const tags = text.split(",").map((tag) => tag.trim().replace(/\s+/g, " "));
  return tags.filter((tag) => tag && !seen.has(tag.toLowerCase()) && seen.add(tag.toLowerCase()));
}

function chip(tag, remove) {
  const element = document.createElement("span");
  element.className = "chip";
  element.append(tag);
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "×";
  button.setAttribute("aria-label", `Remove ${tag}`);
  button.addEventListener("click", remove);
  element.append(button);
  return element;
}

function makeEntry(plain) {
  const entry = document.createElement("input");
  entry.id = `${plain.id}-entry`;
  entry.autocomplete = "off";
  entry.enterKeyHint = "done";
  entry.placeholder = plain.dataset.tags || "Add a tag";
  for (const name of ["list", "data-focus-key", "aria-describedby", "aria-invalid"]) {
    if (plain.hasAttribute(name)) entry.setAttribute(name, plain.getAttribute(name));
  }
  const [own, entered] = [CSS.escape(plain.id), CSS.escape(entry.id)];
  const label = document.querySelector(`label[for="${own}"], label[for="${entered}"]`);
  if (label) label.htmlFor = entry.id;
  else entry.setAttribute("aria-label", "Add a tag");
  return entry;
}

function enhance(plain) {
  const entry = makeEntry(plain);
  const box = document.createElement("div");
  box.className = "tags";
  const said = document.createElement("span");
  said.className = "sr";
  said.setAttribute("role", "status");

  function show() {
    for (const old of box.querySelectorAll(".chip")) old.remove();
    entry.before(...parse(plain.value).map((tag) => chip(tag, () => remove(tag))));
  }
  function write(tags, sentence) {
    plain.value = tags.join(", ");
    plain.dispatchEvent(new Event("change", { bubbles: true }));
    show();
    said.textContent = sentence;
  }
  function remove(tag) {
    write(parse(plain.value).filter((other) => other !== tag), `${tag} removed`);
    entry.focus();
  }
  function add() {
    const before = parse(plain.value);
    const after = parse(`${plain.value},${entry.value}`);
    entry.value = "";
    if (after.length > before.length) write(after, `${after.slice(before.length).join(", ")} added`);
  }

  entry.addEventListener("keydown", (event) => {
    const last = parse(plain.value).at(-1);
    if (event.isComposing) return;
    if (event.key === "Enter" || event.key === ",") {
      event.preventDefault();
      add();
    }
    if (event.key === "Backspace" && !entry.value && last) remove(last);
  });
  entry.addEventListener("input", () => entry.value.includes(",") && add());
  entry.addEventListener("blur", () => entry.value.trim() && queueMicrotask(add));
  plain.addEventListener("tags:write", (event) => write(parse(event.detail), "Tags taken"));
  box.addEventListener("click", (event) => event.target === box && entry.focus());

  if (plain.nextElementSibling?.matches(".tags")) plain.nextElementSibling.remove(); // htmx brought a page back
  plain.type = "hidden";
  box.append(entry, said);
  plain.after(box);
  show();
  enhanced.add(plain);
}

document.addEventListener("htmx:load", (event) => {
  const root = event.detail.elt;
  for (const plain of root.querySelectorAll("input[data-tags]")) if (!enhanced.has(plain)) enhance(plain);
});
