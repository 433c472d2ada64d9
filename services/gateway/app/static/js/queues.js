// The queues: how full they are, since when, how that has changed; pause and resume.

import * as api from "./api.js";
import { ask } from "./ask.js";
import { byId, h, keyed, set, setText } from "./dom.js";
import { compact, duration, number } from "./format.js";
import { pointsOf } from "./past.js";
import { plot } from "./plot.js";
import { guard, guarded } from "./rights.js";
import { complain, say } from "./toast.js";

let shown = null;

export function startQueues() {
  byId("span").addEventListener("change", () => shown && showQueues(shown));
}

export function showQueues(snapshot) {
  shown = snapshot;
  byId("queues-empty").hidden = snapshot.queues.length > 0;
  setText(byId("queues-empty"), snapshot.note ?? "No worker has published a task yet.");
  const span = Number(byId("span").value);
  const key = (state) => `${state.service} ${state.queue}`;
  keyed(byId("queue-list"), snapshot.queues.map((state) => ({ ...state, at: snapshot.at, span })), key, makeQueue);
}

function makeQueue({ queue, service }) {
  const depth = h("dd", { class: "value" });
  const age = h("dd", { class: "value" });
  const small = Object.fromEntries(["in_flight", "delayed", "parked"].map((name) => [name, h("dd")]));
  const badge = h("span", { class: "badge warn", hidden: true }, "paused");
  const button = h("button", { type: "button", onclick: guarded(() => toggle(queue, button)) });
  const plots = { depth: plot(`Waiting in ${queue}`, compact), oldest_seconds: plot(`Age of the oldest in ${queue}`, duration) };
  const of = service === queue ? null : h("span", { class: "dim" }, service);
  const element = h("li", { class: "queue" },
    h("div", { class: "head" }, h("h3", {}, queue), of, badge, button),
    h("dl", { class: "pair" },
      h("div", {}, h("dt", {}, "waiting"), depth), h("div", {}, h("dt", {}, "oldest"), age)),
    h("div", { class: "pair" }, plots.depth.element, plots.oldest_seconds.element),
    h("dl", { class: "facts" },
      h("div", {}, h("dt", {}, "in flight"), small.in_flight),
      h("div", {}, h("dt", {}, "delayed"), small.delayed),
      h("div", {}, h("dt", {}, "parked"), small.parked)));
  function update(state) {
    setText(depth, number(state.depth));
    setText(age, duration(state.oldest_seconds));
    for (const [name, place] of Object.entries(small)) setText(place, number(state[name]));
    badge.hidden = !state.paused;
    set(element, "data-state", state.paused ? "warn" : null);
    button.paused = state.paused;
    setText(button, state.paused ? "Resume" : "Pause");
    set(button, "aria-label", `${state.paused ? "Resume" : "Pause"} the queue ${queue}`);
    guard(button, "operate");
    for (const [measure, drawn] of Object.entries(plots)) {
      drawn.update(pointsOf(queue, measure), state.at - state.span, state.at);
    }
  }
  return { element, update };
}

async function toggle(queue, button) {
  const verb = button.paused ? "resume" : "pause";
  const text = "Workers finish what they have taken, and take nothing more from it until it is resumed.";
  if (verb === "pause" && !(await ask(`Pause the queue ${queue}?`, text, "Pause"))) return;
  try {
    await api.post(`/queues/${encodeURIComponent(queue)}/${verb}`);
    say(`The queue ${queue} is ${verb === "pause" ? "paused" : "resumed"}.`);
  } catch (error) {
    complain(error);
  }
}
