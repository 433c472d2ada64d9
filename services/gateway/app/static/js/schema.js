// Reads a task's JSON Schema, as pydantic writes it, for the form.

// A schema without references and without "or null"; `nullable` says that null was allowed.
export function resolve(schema, root) {
  let found = { ...schema };
  for (let hops = 0; hops < 20 && (found.$ref || found.allOf?.length === 1); hops++) {
    const { $ref, allOf, ...own } = found;
    found = { ...($ref ? target($ref, root) : allOf[0]), ...own };
  }
  const ways = found.anyOf ?? found.oneOf;
  if (!ways) return Array.isArray(found.type) ? listed(found) : found;
  const rest = ways.filter((way) => way.type !== "null");
  const nullable = rest.length < ways.length;
  if (rest.length !== 1) return { ...found, anyOf: rest, oneOf: undefined, nullable };
  const { anyOf, oneOf, ...own } = found;
  return { ...resolve(rest[0], root), ...own, nullable };
}

function target(reference, root) {
  const parts = reference.replace(/^#\//, "").split("/").map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  return parts.reduce((place, part) => place?.[part], root) ?? {};
}

function listed({ type, ...own }) {
  const rest = type.filter((one) => one !== "null");
  const nullable = rest.length < type.length;
  return rest.length === 1 ? { ...own, type: rest[0], nullable } : { ...own, anyOf: rest.map((one) => ({ type: one })), nullable };
}

// Which field a resolved schema gets.
export function kindOf(schema) {
  if ("const" in schema) return "choice";
  if (schema.enum) return "choice";
  if (schema.anyOf?.length) return "variants";
  if (schema.type === "object" || schema.properties) return schema.properties ? "object" : "map";
  if (schema.type === "array") return schema.prefixItems ? "json" : "array";
  if (["boolean", "integer", "number", "string"].includes(schema.type)) return schema.type;
  return "json";
}

export const choices = (schema) => ("const" in schema ? [schema.const] : schema.enum);

export function titleOf(schema, root) {
  const found = resolve(schema, root);
  if (found.title) return found.title;
  return found.format ?? (found.type === "array" ? "list" : found.type) ?? "value";
}

// What a field takes, in a few words.
export function hint(schema) {
  const from = schema.minimum ?? above(schema.exclusiveMinimum);
  const to = schema.maximum ?? below(schema.exclusiveMaximum);
  const words = [
    { integer: "whole number", number: "number" }[schema.type],
    between(from, to, ""),
    between(many(schema.minLength), schema.maxLength, "characters"),
    between(many(schema.minItems), schema.maxItems, "items"),
    { "email": "mail address", "uri": "URL", "date-time": "your time zone", "uuid": "UUID", "duration": "as PT1H30M" }[schema.format],
    schema.pattern ? `like ${schema.pattern}` : undefined,
  ];
  return [schema.description, words.filter(Boolean).join(", ")].filter(Boolean).join(" · ");
}

const many = (least) => (least > 1 ? least : undefined); // that something must be there goes without saying
const above = (value) => (value === undefined ? undefined : `more than ${value}`);
const below = (value) => (value === undefined ? undefined : `less than ${value}`);

function between(from, to, unit) {
  if (from === undefined && to === undefined) return undefined;
  const text = (value) => (typeof value === "number" ? value.toLocaleString("en") : value);
  if (from === undefined) return `at most ${text(to)} ${unit}`.trim();
  if (to === undefined) return `${typeof from === "number" ? "at least " : ""}${text(from)} ${unit}`.trim();
  return `${text(from)} to ${text(to)} ${unit}`.trim();
}
