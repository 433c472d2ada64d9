// Asks before something is done that cannot be undone.

import { byId, h } from "./dom.js";

// Resolves to whether the answer was yes.
export function ask(title, text, verb) {
  const dialog = byId("ask-dialog");
  const no = h("button", { value: "no" }, "Cancel");
  const yes = h("button", { value: "yes", class: "danger" }, verb);
  dialog.replaceChildren(
    h("form", { method: "dialog" },
      h("h2", { id: "ask-title" }, title), h("p", {}, text), h("div", { class: "buttons" }, no, yes)),
  );
  dialog.returnValue = "no";
  dialog.showModal();
  no.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
