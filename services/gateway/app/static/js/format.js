// Numbers and times as people read them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const number = (value) => (value === null || value === undefined ? "–" : whole.format(value));
export const compact = (value) => (value < 100_000 ? whole.format(value) : short.format(value));

// Seconds as "3 s", "4 min 5 s", "2 h 10 min", "3 d 4 h".
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const all = Math.max(0, seconds);
  if (all < 1) return `${Number(all.toFixed(1))} s`;
  if (all < 60) return `${Math.floor(all)} s`;
  if (all < 3600) return two(all, 60, "min", 1, "s");
  if (all < 86_400) return two(all, 3600, "h", 60, "min");
  return two(all, 86_400, "d", 3600, "h");
}

function two(all, large, largeName, small, smallName) {
  const rest = Math.floor((all % large) / small);
  return `${Math.floor(all / large)} ${largeName}${rest ? ` ${rest} ${smallName}` : ""}`;
}

export const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString("en-GB");

// A moment, in seconds since 1970 or as ISO text: the time, and the day if it is another one than today.
export function moment(at) {
  if (at === null || at === undefined) return "–";
  const exact = typeof at === "number" ? at * 1000 : Date.parse(at);
  if (Number.isNaN(exact)) return String(at);
  const date = new Date(Math.round(exact / 1000) * 1000);
  const time = date.toLocaleTimeString("en-GB");
  return date.toDateString() === new Date().toDateString() ? time : `${date.toLocaleDateString("en-CA")} ${time}`;
}

export function json(value) {
  return JSON.stringify(value, null, 2) ?? "";
}

export function plural(count, one, many) {
  return `${number(count)} ${count === 1 ? one : many}`;
}
