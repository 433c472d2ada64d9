// Send any task: choose it, fill in its form, and follow the job.

import * as api from "./api.js";
import { byId, h, set } from "./dom.js";
import { makeField } from "./fields.js";
import { duration, json } from "./format.js";
import { followJob } from "./jobs.js";
import { guard, guarded, may } from "./rights.js";
import { complain, say } from "./toast.js";

let tasks = new Map();
let form = null;

export function startSend() {
  byId("task").addEventListener("change", () => choose(byId("task").value));
  byId("task-form").addEventListener("submit", submit);
}

// Reads the catalog; what is being filled in stays as it is.
export async function readCatalog() {
  let entries;
  try {
    entries = await api.get("/catalog");
  } catch (error) {
    complain(error);
    return;
  }
  const names = entries.map((entry) => entry.name).join("\n");
  const known = [...tasks.keys()].join("\n");
  tasks = new Map(entries.map((entry) => [entry.name, entry]));
  if (names !== known) list(entries);
}

function list(entries) {
  const select = byId("task");
  const kept = select.value;
  const services = [...new Set(entries.map((entry) => entry.service))].sort();
  const option = ({ name }) => h("option", { value: name }, name.replace(/^app\.tasks\./, ""));
  select.replaceChildren(h("option", { value: "" }, entries.length ? "Choose a task" : "There is no task you may send or read"),
    ...services.map((service) => h("optgroup", { label: service }, ...entries.filter((entry) => entry.service === service).map(option))));
  select.value = tasks.has(kept) ? kept : "";
  if (select.value !== kept) choose("");
}

function choose(name) {
  const entry = tasks.get(name);
  const box = byId("task-form");
  box.hidden = !entry;
  byId("task-about").replaceChildren(...(entry ? about(entry) : []));
  box.replaceChildren();
  form = entry ? makeForm(entry) : null;
  if (form) box.append(...form.parts);
}

function about(entry) {
  const limit = entry.limits.hard ? `may run ${duration(entry.limits.hard)}` : null;
  const words = [`queue ${entry.queue}`, limit, entry.idempotent ? "idempotent" : null, entry.version && `version ${entry.version}`];
  return [
    h("p", { class: "break" }, h("code", {}, entry.name)),
    h("p", { class: "text" }, entry.description),
    h("p", { class: "dim" }, words.filter(Boolean).join(" · ")),
  ];
}

function makeForm(entry) {
  const payload = makeField({ ...entry.parameters, title: undefined, description: undefined },
    { name: "payload", label: "", required: true, root: entry.parameters });
  const text = makeField({}, { name: "json", label: "Payload as JSON", required: true, root: {} });
  const asText = h("input", { type: "checkbox", id: "as-json" });
  const countdown = makeField({ type: "number" }, { name: "countdown", label: "start after, in seconds", required: false, root: {} });
  const once = makeField({ type: "string" }, { name: "once", label: "idempotency key", required: false, root: {} });
  const summary = h("div", { class: "wrong", role: "alert", tabindex: -1, hidden: true });
  const button = h("button", { class: "primary", onclick: guarded(() => {}) }, "Send");
  text.element.hidden = true;
  asText.addEventListener("change", () => {
    text.element.hidden = !asText.checked;
    payload.element.hidden = asText.checked;
    if (asText.checked) text.write(payload.read());
  });
  guard(button, "send", entry.name);
  const more = h("details", {}, h("summary", {}, "More"),
    countdown.element, once.element, h("div", { class: "field boolean" }, h("label", { for: "as-json" }, "write it as JSON instead"), asText));
  const content = () => (asText.checked ? text.read() ?? {} : payload.read());
  return { entry, payload, text, asText, countdown, once, summary, button, content,
    parts: [summary, payload.element, text.element, more, h("div", { class: "buttons" }, button)] };
}

async function submit(event) {
  event.preventDefault();
  if (!form || form.busy || !may("send", form.entry.name)) return;
  const sent = form;
  clear(sent);
  sent.busy = true;
  set(sent.button, "aria-busy", "true");
  try {
    const delay = sent.countdown.read();
    const query = delay === undefined ? "" : `?${new URLSearchParams({ countdown: delay })}`;
    const key = sent.once.read();
    const headers = key === undefined ? {} : { "Idempotency-Key": key };
    const job = await api.post(`/tasks/${encodeURIComponent(sent.entry.name)}${query}`, json(sent.content()), headers);
    say(`${sent.entry.name} was sent.`);
    followJob(job.id, job.name);
  } catch (error) {
    showErrors(sent, error);
  } finally {
    sent.busy = false;
    set(sent.button, "aria-busy", null);
  }
}

const fieldsOf = (one) => [...(one.payload.all?.() ?? [one.payload]), one.text, one.countdown, one.once];

function clear(one) {
  one.summary.hidden = true;
  one.summary.replaceChildren();
  for (const field of fieldsOf(one)) field.complain("");
}

const OPTIONS = { "countdown": "countdown", "idempotency-key": "once", "idempotency_key": "once" };

function showErrors(one, error) {
  const errors = error.errors ?? [];
  const items = errors.map((wrong) => {
    const field = fieldOf(one, wrong.field);
    field.complain(wrong.problem);
    const go = h("button", { type: "button", class: "link", onclick: () => field.focus() }, wrong.field || "payload");
    return h("li", {}, go, `: ${wrong.problem}`);
  });
  const told = errors.length ? `Not sent: ${errors.length === 1 ? "one field is" : `${errors.length} fields are`} wrong.` : error.message;
  one.summary.replaceChildren(h("p", {}, told), ...(items.length ? [h("ul", {}, ...items)] : []));
  one.summary.hidden = false;
  (errors.length ? fieldOf(one, errors[0].field) : one.summary).focus();
}

function fieldOf(one, path) {
  if (OPTIONS[path] && !(path in (one.entry.parameters.properties ?? {}))) return one[OPTIONS[path]];
  return one.asText.checked ? one.text : one.payload.find(path.split("."));
}
