// What the key may do. The gateway decides; here it is only shown, so that nobody has to try.

import { set } from "./dom.js";
import { say } from "./toast.js";

let key = { id: "none", may: {} };

export const setRights = (own) => (key = own);
export const keyName = () => key.id;

export function may(verb, task) {
  return (key.may[verb] ?? []).some((pattern) => (task ? glob(pattern).test(task) : pattern === "*"));
}

export const why = (verb, task) => `Your key ${key.id} has no scope ${task ? `${verb}:${task}` : verb}.`;

// Keeps a button in the tab order but without effect if the key may not do what it does; the reason is its title.
export function guard(button, verb, task) {
  const allowed = may(verb, task);
  set(button, "aria-disabled", allowed ? null : "true");
  set(button, "title", allowed ? null : why(verb, task));
}

export function guarded(act) {
  return (event) => {
    if (event.currentTarget.getAttribute("aria-disabled") === "true") say(event.currentTarget.title, "error");
    else act(event);
  };
}

// As Python's fnmatchcase, but for its [...].
function glob(pattern) {
  const escaped = pattern.replace(/[.+^${}()|\\[\]]/g, "\\$&");
  return new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`, "s");
}
