// Short messages, seen and read out; an error stays longer.

import { byId, h } from "./dom.js";

const SECONDS = { info: 6, error: 15 };

export function say(text, kind = "info") {
  const toast = h("p", { class: `toast ${kind}` }, text);
  const box = byId("toasts");
  box.append(toast);
  while (box.children.length > 4) box.firstElementChild.remove();
  setTimeout(() => toast.remove(), SECONDS[kind] * 1000);
}

export const complain = (error) => say(error.message, "error");
