// Fields that hold others: objects, lists, maps, and one of several forms.

import { h, newId, set } from "./dom.js";
import { makeField } from "./fields.js";
import { hint, titleOf } from "./schema.js";

export const composites = { object, array, map, variants };

function group(schema, place, ...content) {
  const error = h("p", { class: "error", id: newId("error") });
  const note = hint(schema);
  const optional = place.required || !place.label ? null : h("span", { class: "dim" }, " optional");
  const legend = place.label ? h("legend", {}, place.label, optional) : null;
  const element = h("fieldset", { "aria-describedby": error.id, class: place.label ? null : "bare" },
    legend, note && place.label ? h("p", { class: "hint" }, note) : null, ...content, error);
  const complain = (text) => {
    error.textContent = error.textContent && text ? `${error.textContent}; ${text}` : text;
    set(element, "data-invalid", text ? "true" : null);
  };
  return { element, complain };
}

const firstControl = (element) => element.querySelector("input, select, textarea, button");

// An object that may be left out is made when it is wanted: so a schema that holds itself ends.
function object(schema, place) {
  const fields = new Map();
  const box = h("div", { class: "fields" });
  const given = h("input", { type: "checkbox", id: newId("given") });
  const optional = !place.required && place.label;
  const own = group(schema, place,
    optional ? h("div", { class: "field boolean" }, h("label", { for: given.id }, "give it"), given) : null, box);

  function open(yes) {
    given.checked = yes;
    fields.clear();
    box.replaceChildren();
    if (!yes) return;
    const needed = new Set(schema.required ?? []);
    const names = Object.keys(schema.properties);
    for (const name of [...names.filter((one) => needed.has(one)), ...names.filter((one) => !needed.has(one))]) {
      fields.set(name, makeField(schema.properties[name], { name, label: labelOf(name), required: needed.has(name), root: place.root }));
      box.append(fields.get(name).element);
    }
  }

  given.addEventListener("change", () => open(given.checked));
  open(!optional);
  const field = {
    ...own,
    read: () => (optional && !given.checked ? undefined : gathered(fields)),
    write: (value) => {
      open(true);
      for (const [name, part] of Object.entries(value ?? {})) if (part !== null) fields.get(name)?.write(part);
    },
    find: ([first, ...rest]) => fields.get(first)?.find(rest) ?? field,
    focus: () => firstControl(own.element)?.focus(),
    all: () => [field, ...[...fields.values()].flatMap((part) => part.all?.() ?? [part])],
  };
  return field;
}

const labelOf = (name) => name.replaceAll("_", " ");

function gathered(fields) {
  const values = {};
  for (const [name, field] of fields) {
    const value = field.read();
    if (value !== undefined) values[name] = value;
  }
  return values;
}

// What lists and maps share: rows that can be added and removed.
function rows(schema, place, makeRow, addLabel) {
  let parts = [];
  const box = h("div", { class: "items" });
  const add = h("button", { type: "button", class: "small", onclick: () => append().focus() }, addLabel);
  const own = group(schema, place, box, add);

  function append() {
    const row = makeRow(parts.length);
    const label = `Remove ${place.label} ${parts.length + 1}`;
    const remove = h("button", { type: "button", class: "small", "aria-label": label, onclick: () => drop(row) }, "Remove");
    row.box = h("div", { class: "item" }, row.element, remove);
    parts.push(row);
    box.append(row.box);
    return row;
  }

  function drop(row) {
    parts = parts.filter((part) => part !== row);
    row.box.remove();
    add.focus();
  }

  const clear = () => {
    parts = [];
    box.replaceChildren();
  };
  return { own, append, clear, parts: () => parts, add };
}

function array(schema, place) {
  const make = () => makeField(schema.items ?? {}, { name: place.name, label: titleOf(schema.items ?? {}, place.root), required: true, root: place.root });
  const { own, append, clear, parts, add } = rows(schema, place, make, `Add to ${place.label}`);
  if (place.required && (schema.minItems ?? 0) > 0) append();
  const field = {
    ...own,
    read: () => (parts().length || place.required ? parts().map((part) => part.read() ?? null) : undefined),
    write: (values) => {
      clear();
      for (const value of Array.isArray(values) ? values : []) append().write(value);
    },
    find: ([first, ...rest]) => parts()[Number(first)]?.find(rest) ?? field,
    focus: () => (firstControl(own.element) ?? add).focus(),
    all: () => [field, ...parts().flatMap((part) => part.all?.() ?? [part])],
  };
  return field;
}

function map(schema, place) {
  const values = typeof schema.additionalProperties === "object" ? schema.additionalProperties : {};
  const make = () => {
    const key = makeField({ type: "string" }, { name: "key", label: "name", required: true, root: place.root });
    const value = makeField(values, { name: "value", label: titleOf(values, place.root), required: true, root: place.root });
    return { key, value, element: h("div", { class: "entry" }, key.element, value.element), focus: key.focus };
  };
  const { own, append, clear, parts, add } = rows(schema, place, make, `Add to ${place.label || "the payload"}`);
  const field = {
    ...own,
    read: () => {
      const entries = parts().map((part) => [part.key.read(), part.value.read() ?? null]);
      return entries.length || place.required ? Object.fromEntries(entries) : undefined;
    },
    write: (given) => {
      clear();
      for (const [key, value] of Object.entries(given ?? {})) {
        const row = append();
        row.key.write(key);
        row.value.write(value);
      }
    },
    find: ([first, ...rest]) => parts().find((part) => part.key.read() === first)?.value.find(rest) ?? field,
    focus: () => (firstControl(own.element) ?? add).focus(),
    all: () => [field, ...parts().flatMap((part) => [part.key, ...(part.value.all?.() ?? [part.value])])],
  };
  return field;
}

function variants(schema, place) {
  const ways = schema.anyOf;
  let chosen = null;
  const box = h("div");
  const id = newId("variant");
  const none = place.required ? [] : [h("option", { value: "" }, "not given")];
  const select = h("select", { id }, ...none, ...ways.map((way, at) => h("option", { value: at }, titleOf(way, place.root))));
  const own = group(schema, place, h("div", { class: "field" }, h("label", { for: id }, "form"), select), box);

  function choose(at) {
    select.value = at;
    chosen = at === "" ? null : makeField(ways[Number(at)], { name: place.name, label: "value", required: true, root: place.root });
    box.replaceChildren(...(chosen ? [chosen.element] : []));
  }

  select.addEventListener("change", () => choose(select.value));
  choose(place.required ? "0" : "");
  const field = {
    ...own,
    read: () => chosen?.read(),
    write: (value) => {
      choose(String(Math.max(0, ways.findIndex((way) => fits(way, value)))));
      chosen.write(value);
    },
    find: (path) => chosen?.find(path) ?? field,
    focus: () => select.focus(),
    all: () => [field, ...(chosen ? (chosen.all?.() ?? [chosen]) : [])],
  };
  return field;
}

function fits(way, value) {
  const type = Array.isArray(value) ? "array" : typeof value;
  return way.type === type || (type === "number" && way.type === "integer") || (type === "object" && "$ref" in way);
}
