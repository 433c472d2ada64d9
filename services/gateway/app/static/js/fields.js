// Fields of a form, one for each part of a schema. A field is {element, read(), write(value), find(path), focus()}:
// `read` gives undefined for what is left out; `find` gives the field of a path, or the nearest one above it.

import { h, newId, set } from "./dom.js";
import { composites } from "./composites.js";
import { json } from "./format.js";
import { choices, hint, kindOf, resolve } from "./schema.js";

const LONG = 300; // characters; a text that may be longer gets several lines
const TYPES = { "email": "email", "uri": "url", "date": "date", "date-time": "datetime-local", "password": "password" };

// `place` is {name, label, required, root}.
export function makeField(schema, place) {
  const found = resolve(schema, place.root);
  const kind = kindOf(found);
  const required = place.required && !found.nullable;
  const field = (composites[kind] ?? simple)(found, { ...place, required }, kind);
  if (place.required && found.nullable) {
    const { read } = field;
    field.read = () => read() ?? null;
  }
  if (found.default !== undefined && found.default !== null) field.write(found.default);
  return field;
}

function simple(schema, place, kind) {
  const id = newId("field");
  const control = controls[kind](schema, place);
  const note = hint(schema);
  const error = h("p", { class: "error", id: `${id}-error` });
  set(control.input, "id", id);
  set(control.input, "name", place.name);
  set(control.input, "aria-required", place.required ? "true" : null);
  set(control.input, "aria-describedby", `${note ? `${id}-hint ` : ""}${id}-error`);
  const label = h("label", { for: id }, place.label, place.required ? null : h("span", { class: "dim" }, " optional"));
  const element = h("div", { class: `field ${kind}` }, label, control.input, note ? h("p", { class: "hint", id: `${id}-hint` }, note) : null, error);
  const field = {
    element,
    read: () => control.read(place.required),
    write: control.write,
    find: () => field,
    focus: () => control.input.focus(),
    complain: (text) => {
      error.textContent = error.textContent && text ? `${error.textContent}; ${text}` : text;
      set(control.input, "aria-invalid", text ? "true" : null);
    },
  };
  return field;
}

const controls = { string, integer: numeric, number: numeric, boolean, choice, json: anything };

function string(schema) {
  const long = !schema.format && (schema.maxLength ?? 0) > LONG;
  const type = schema.writeOnly ? "password" : (TYPES[schema.format] ?? "text");
  const input = long ? h("textarea", { rows: 4 }) : h("input", { type, autocomplete: "off", spellcheck: "false" });
  const moments = type === "datetime-local";
  if (moments) set(input, "step", "1");
  return {
    input,
    read: (required) => (input.value === "" && !required ? undefined : moments && input.value ? new Date(input.value).toISOString() : input.value),
    write: (value) => (input.value = moments ? local(value) : String(value ?? "")),
  };
}

function local(value) {
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? "" : new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

// What is no number is sent as it is: the gateway says what is wrong with it, in the words of all its entrances.
function numeric(schema) {
  const whole = schema.type === "integer";
  const input = h("input", { type: "text", inputmode: whole ? "numeric" : "decimal", autocomplete: "off" });
  const form = whole ? /^[+-]?\d+$/ : /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
  return {
    input,
    read: () => {
      const text = input.value.trim();
      return text === "" ? undefined : form.test(text) ? Number(text) : text;
    },
    write: (value) => (input.value = String(value ?? "")),
  };
}

function boolean(schema, { required }) {
  if (!required && typeof schema.default !== "boolean") return choice({ enum: [true, false] }, { required }, ["yes", "no"]);
  const input = h("input", { type: "checkbox" });
  return { input, read: () => input.checked, write: (value) => (input.checked = value === true) };
}

function choice(schema, { required }, words) {
  const values = choices(schema);
  const named = values.map((value, place) => h("option", { value: place }, Array.isArray(words) ? words[place] : String(value)));
  const none = required && values.length === 1 ? [] : [h("option", { value: "" }, required ? "Choose" : "not given")];
  const input = h("select", {}, ...none, ...named);
  return {
    input,
    read: () => (input.value === "" ? undefined : values[Number(input.value)]),
    write: (value) => (input.value = values.includes(value) ? String(values.indexOf(value)) : ""),
  };
}

// A value of any form, as JSON; what is no JSON is sent as a text.
function anything() {
  const input = h("textarea", { rows: 3, spellcheck: "false", class: "code", placeholder: "JSON, or a text" });
  return {
    input,
    read: () => {
      if (input.value.trim() === "") return undefined;
      try {
        return JSON.parse(input.value);
      } catch {
        return input.value;
      }
    },
    write: (value) => (input.value = value === undefined ? "" : json(value)),
  };
}
