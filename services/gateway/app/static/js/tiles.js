// The summary: the few numbers that say whether all is well.

import { byId, h, keyed, set, setText } from "./dom.js";
import { compact, duration } from "./format.js";

const sum = (items, name) => items.reduce((all, item) => all + item[name], 0);

export function showTiles(snapshot) {
  const oldest = Math.max(-1, ...snapshot.queues.map((state) => state.oldest_seconds ?? -1));
  const paused = snapshot.queues.filter((state) => state.paused).length;
  const alive = snapshot.workers.filter((worker) => worker.lease_seconds > 0).length;
  const dead = sum(snapshot.dead, "letters");
  const tiles = [
    { name: "Waiting", value: compact(sum(snapshot.queues, "depth")), note: paused ? `${paused} paused` : "", state: paused ? "warn" : "" },
    { name: "Oldest waits", value: duration(oldest < 0 ? null : oldest) },
    { name: "In flight", value: compact(sum(snapshot.queues, "in_flight")) },
    { name: "Delayed", value: compact(sum(snapshot.queues, "delayed")) },
    { name: "Parked", value: compact(sum(snapshot.queues, "parked")), state: sum(snapshot.queues, "parked") ? "warn" : "" },
    { name: "Dead letters", value: compact(dead), state: dead ? "bad" : "" },
    { name: "Workers", value: compact(alive), state: alive ? "" : "bad" },
  ];
  keyed(byId("tiles"), tiles, (tile) => tile.name, makeTile);
}

function makeTile(tile) {
  const value = h("dd", { class: "value" });
  const note = h("dd", { class: "note" });
  const element = h("div", { class: "tile" }, h("dt", {}, tile.name), value, note);
  return {
    element,
    update({ value: text, note: more, state }) {
      setText(value, text);
      setText(note, more ?? "");
      set(element, "data-state", state || null);
    },
  };
}
