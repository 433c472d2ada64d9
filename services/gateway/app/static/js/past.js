// The past of the queues: as the gateway remembers it, and as this page has seen it go on.

const LONGEST = 3700; // seconds
const DENSE = 120; // seconds for which each snapshot is kept; before that, as in the gateway, one in five seconds

let rows = []; // {at, point, queues: Map of name -> {depth, oldest_seconds}}

export function setHistory({ at, queues }) {
  const named = Object.entries(queues);
  rows = at.map((time, place) => ({
    at: time,
    point: true,
    queues: new Map(named.map(([name, { depth, oldest_seconds: oldest }]) => [name, { depth: depth[place], oldest_seconds: oldest[place] }])),
  }));
}

export function addSnapshot({ at, point, queues }) {
  if (at <= (rows.at(-1)?.at ?? 0)) return;
  rows.push({ at, point, queues: new Map(queues.map((state) => [state.queue, state])) });
  rows = rows.filter((row) => row.at > at - (row.point ? LONGEST : DENSE));
}

export const pointsOf = (queue, measure) => rows.map((row) => [row.at, row.queues.get(queue)?.[measure] ?? null]);
