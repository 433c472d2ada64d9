// One dead letter: why it died, what it said; put it back or throw it away.

import * as api from "./api.js";
import { ask } from "./ask.js";
import { byId, h } from "./dom.js";
import { json, moment } from "./format.js";
import { guard, guarded } from "./rights.js";
import { complain, say } from "./toast.js";

const path = (letter, more = "") =>
  `/dead-letters/${encodeURIComponent(letter.id)}${more}?${new URLSearchParams({ service: letter.service })}`;

export async function openLetter({ id, service }) {
  let letter;
  try {
    letter = await api.get(path({ id, service }));
  } catch (error) {
    complain(error);
    return;
  }
  const dialog = byId("letter-dialog");
  const close = h("button", { type: "button", onclick: () => dialog.close() }, "Close");
  const act = (verb, label, kind, run) => {
    const button = h("button", { type: "button", class: kind, onclick: guarded(async () => (await run(letter)) && dialog.close()) }, label);
    guard(button, verb, letter.task);
    return button;
  };
  dialog.replaceChildren(...[
    h("h2", { id: "letter-title", class: "break" }, letter.task ?? "Message without a task"),
    h("p", {}, h("span", { class: "badge bad" }, letter.reason), " ", letter.error),
    facts(letter),
    part("Payload", letter.payload === null ? null : json(letter.payload), true),
    part("Positional arguments", letter.args?.length ? json(letter.args) : null, true),
    part("Traceback", letter.traceback, true),
    part("Headers", Object.keys(letter.headers ?? {}).length ? json(letter.headers) : null, false),
    h("div", { class: "buttons" }, close,
      act("discard", "Discard", "danger", discard), act("replay", "Replay", "primary", replay)),
  ].filter(Boolean));
  dialog.showModal();
  const traceback = dialog.querySelector("[aria-label=Traceback]");
  if (traceback) traceback.scrollTop = traceback.scrollHeight; // what was raised stands at its end
  close.focus();
}

function facts(letter) {
  const rows = {
    "Died": `${moment(letter.last)}${letter.attempts > 1 ? `; ${letter.attempts} times since ${moment(letter.first)}` : ""}`,
    "Service": `${letter.service} ${letter.version}`,
    "Queue": letter.list || "unknown",
    "Retries": letter.retries,
    "Job": letter.id,
    "Unreadable": letter.problem,
  };
  const shown = Object.entries(rows).filter(([, value]) => value !== null && value !== undefined);
  return h("dl", { class: "facts" }, ...shown.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", { class: "break" }, String(value)))));
}

function part(title, text, open) {
  return text ? h("details", { open }, h("summary", {}, title), h("pre", { tabindex: 0, "aria-label": title, role: "group" }, text)) : null;
}

const gone = (letter) => document.dispatchEvent(new CustomEvent("letter-gone", { detail: letter }));

// Each resolves to whether it was done.
export async function replay(letter) {
  try {
    await api.post(path(letter, "/replay"));
    gone(letter);
    say(`${letter.task ?? letter.id} is back in its queue.`);
    return true;
  } catch (error) {
    complain(error);
    return false;
  }
}

export async function discard(letter) {
  const text = `${letter.task ?? "The message"} (${letter.id}) is removed for good, with its payload.`;
  if (!(await ask("Discard this dead letter?", text, "Discard"))) return false;
  try {
    await api.remove(path(letter));
    gone(letter);
    say(`The dead letter ${letter.id} is discarded.`);
    return true;
  } catch (error) {
    complain(error);
    return false;
  }
}
