// What runs now, with its progress.

import { byId, h, keyed, set, setText } from "./dom.js";
import { duration, plural } from "./format.js";
import { cancel, followJob } from "./jobs.js";
import { makeProgress } from "./progress.js";
import { guard, guarded } from "./rights.js";

let before = null;

// A job that is gone a second later is not worth a line; of many such jobs only their number is shown.
export function showRunning(snapshot) {
  const jobs = (snapshot.running ?? []).filter((job) => !before || before.has(job.id) || job.progress);
  before = new Set((snapshot.running ?? []).map((job) => job.id));
  const all = Math.max(jobs.length, snapshot.queues.reduce((sum, state) => sum + state.in_flight, 0));
  byId("running-empty").hidden = jobs.length > 0;
  setText(byId("running-empty"), all ? "What runs now takes less than a second." : "Nothing runs now.");
  setText(byId("running-count"), all ? `${plural(all, "job", "jobs")}${all > jobs.length ? `, ${jobs.length} shown` : ""}` : "");
  keyed(byId("running-list"), jobs, (job) => job.id, makeRow);
}

function makeRow({ id, task, service, worker }) {
  const seconds = h("span", { class: "dim" });
  const progress = makeProgress(`Progress of ${task}`);
  const follow = h("button", { type: "button", onclick: guarded(() => followJob(id, task)), "aria-label": `Follow ${task}` }, "Follow");
  const stop = h("button", { type: "button", onclick: guarded(() => cancel(id, task)), "aria-label": `Cancel ${task}` }, "Cancel");
  const element = h("li", { class: "row" },
    h("div", { class: "head" },
      h("strong", { class: "break" }, task ?? "unknown task"), h("span", { class: "dim", title: worker }, service), seconds,
      h("span", { class: "acts" }, follow, stop)),
    progress.element);
  function update(job) {
    setText(seconds, duration(job.seconds));
    set(seconds, "title", "since it was sent, or was to start");
    progress.update(job.progress);
    guard(follow, "read", task);
    guard(stop, "cancel", task);
  }
  return { element, update };
}
