// What beat sends by itself: when, and whether it is paused; run it now.

import * as api from "./api.js";
import { byId, h, keyed, set, setText } from "./dom.js";
import { moment } from "./format.js";
import { followJob } from "./jobs.js";
import { guard, guarded } from "./rights.js";
import { complain, say } from "./toast.js";

export function showSchedules(snapshot) {
  const schedules = snapshot.schedules ?? [];
  byId("schedules-empty").hidden = schedules.length > 0;
  keyed(byId("schedule-list"), schedules, (one) => one.name, makeSchedule);
}

function makeSchedule({ name, task }) {
  const times = h("span", { class: "dim" });
  const when = h("span");
  const badge = h("span", { class: "badge warn", hidden: true }, "paused");
  const pause = h("button", { type: "button", onclick: guarded(() => act(name, pause.paused ? "resume" : "pause")) });
  const run = h("button", { type: "button", onclick: guarded(() => act(name, "run")), "aria-label": `Run ${name} now` }, "Run now");
  const element = h("li", { class: "row" },
    h("div", { class: "head" }, h("strong", { class: "break" }, name), badge, h("span", { class: "acts" }, pause, run)),
    h("div", { class: "dim break" }, task),
    h("div", { class: "head" }, when, times));
  function update(schedule) {
    badge.hidden = !schedule.paused;
    pause.paused = schedule.paused;
    setText(when, schedule.when);
    setText(times, `next ${moment(schedule.next_run)}, last ${moment(schedule.last_run)}`);
    setText(pause, schedule.paused ? "Resume" : "Pause");
    set(pause, "aria-label", `${schedule.paused ? "Resume" : "Pause"} ${name}`);
    for (const button of [pause, run]) guard(button, "operate", task);
  }
  return { element, update };
}

const DONE = { pause: "is paused", resume: "is resumed", run: "was sent" };

async function act(name, verb) {
  try {
    const answer = await api.post(`/schedules/${encodeURIComponent(name)}/${verb}`);
    say(`${name} ${DONE[verb]}.`);
    if (verb === "run") followJob(answer.id, answer.name);
  } catch (error) {
    complain(error);
  }
}
