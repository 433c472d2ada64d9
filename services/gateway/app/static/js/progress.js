// A progress bar with its words, from what a task says: {current, total, message}.

import { h, set, setText } from "./dom.js";
import { number } from "./format.js";

export function makeProgress(label) {
  const bar = h("progress", { "aria-label": label, max: 1 });
  const words = h("span", { class: "dim break" });
  const element = h("div", { class: "progress", hidden: true }, bar, words);
  function update(progress) {
    const known = progress !== null && typeof progress === "object" && Number.isFinite(progress.current);
    element.hidden = !known;
    if (!known) return;
    const { current, total, message } = progress;
    const share = total > 0 ? Math.min(current / total, 1) : 0;
    set(bar, "value", share.toFixed(4));
    setText(words, `${Math.round(share * 100)} % · ${number(current)} of ${number(total)}${message ? ` · ${message}` : ""}`);
  }
  return { element, update };
}
