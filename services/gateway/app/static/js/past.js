// The past of the queues, as the gateway remembers it and as this page goes on from there.

const LONGEST = 3700; // seconds

let columns = { at: [], queues: {} };

export function setHistory(history) {
  columns = history;
}

export function addPoint(snapshot) {
  const length = columns.at.length;
  columns.at.push(snapshot.at);
  for (const state of snapshot.queues) {
    const kept = (columns.queues[state.queue] ??= { depth: Array(length).fill(null), oldest_seconds: Array(length).fill(null) });
    kept.depth.push(state.depth);
    kept.oldest_seconds.push(state.oldest_seconds);
  }
  for (const kept of Object.values(columns.queues)) {
    for (const name of ["depth", "oldest_seconds"]) if (kept[name].length <= length) kept[name].push(null);
  }
  forget(snapshot.at - LONGEST);
}

// The points of one queue, with the present as the last one: the history has only every fifth second.
export function pointsOf(queue, measure, now, value) {
  const kept = columns.queues[queue]?.[measure] ?? [];
  return [...columns.at.map((at, place) => [at, kept[place] ?? null]), [now, value]];
}

function forget(before) {
  const many = columns.at.findIndex((at) => at >= before);
  if (many <= 0) return;
  columns.at.splice(0, many);
  for (const kept of Object.values(columns.queues)) {
    kept.depth.splice(0, many);
    kept.oldest_seconds.splice(0, many);
  }
}
