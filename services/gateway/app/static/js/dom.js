// Makes and changes elements. Text is only ever text: nothing here, or anywhere else, reads a string as HTML.

export const byId = (id) => document.getElementById(id);

// h("button", {type: "button", class: "primary", onclick: send}, "Send"); children that are null are left out.
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else set(element, key, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export function set(element, name, value) {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value === true ? "" : value);
}

// Writes only what has changed, so that a selection, or a screen reader's place, is left where it is.
export function setText(element, text) {
  if (element.textContent !== String(text)) element.textContent = text;
}

// Keeps a list's elements in step with items: those that stay are updated in place, so that the focus stays too.
export function keyed(list, items, keyOf, make) {
  const known = list.keyedParts ?? (list.keyedParts = new Map());
  const wanted = new Map(items.map((item) => [keyOf(item), item]));
  for (const [key, part] of known) {
    if (wanted.has(key)) continue;
    keepFocus(part.element);
    part.element.remove();
    known.delete(key);
  }
  let place = list.firstElementChild;
  for (const [key, item] of wanted) {
    if (!known.has(key)) known.set(key, make(item));
    const part = known.get(key);
    part.update(item);
    if (part.element === place) place = place.nextElementSibling;
    else list.insertBefore(part.element, place);
  }
}

// Focus that is in something about to vanish goes to what comes next, else to the section's title.
function keepFocus(element) {
  if (!element.contains(document.activeElement)) return;
  const next = element.nextElementSibling ?? element.previousElementSibling;
  const target = next?.querySelector("button") ?? element.closest("section")?.querySelector("h2");
  target?.focus();
}

let lastId = 0;
export const newId = (prefix) => `${prefix}-${++lastId}`;
