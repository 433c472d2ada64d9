// The worker processes, and what they hold.

import { byId, h, keyed, setText } from "./dom.js";
import { number, plural } from "./format.js";

export function showWorkers(snapshot) {
  const workers = [...snapshot.workers].sort((one, other) => (one.service + one.id < other.service + other.id ? -1 : 1));
  byId("workers-empty").hidden = workers.length > 0;
  setText(byId("workers-count"), workers.length ? plural(workers.length, "process", "processes") : "");
  keyed(byId("worker-list"), workers, (worker) => `${worker.service} ${worker.id}`, makeWorker);
}

function makeWorker(worker) {
  const held = h("span", { class: "dim" });
  const dead = h("span", { class: "badge bad", hidden: true }, "dead");
  const where = h("span", { class: "dim break" }, `${worker.host}, process ${worker.pid}`);
  const element = h("li", { class: "row" }, h("div", { class: "head" }, h("strong", {}, worker.service), where, dead, held));
  function update({ held: count, lease_seconds }) {
    setText(held, count ? `holds ${number(count)}` : "idle");
    dead.hidden = lease_seconds > 0;
    dead.title = "Its lease is over; its messages go back to the queue.";
  }
  return { element, update };
}
