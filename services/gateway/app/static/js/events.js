// Server-sent events by fetch: EventSource can send no key. A stream that breaks is taken up again.

const FIRST_PAUSE = 500; // ms
const LONGEST_PAUSE = 10_000;

// `open(headers, signal)` resolves to a response; `on` maps event names to callbacks that get the parsed data and
// return true when they want no more. "open" is called with each connection, "lost" with the error of a broken one.
export function follow(open, on) {
  const ending = new AbortController();
  run(open, on, ending).catch((error) => on.lost?.(error, false));
  return { close: () => ending.abort() };
}

async function run(open, on, ending) {
  let pause = FIRST_PAUSE;
  let lastId = null;
  while (!ending.signal.aborted) {
    try {
      const response = await open(lastId ? { "Last-Event-ID": lastId } : {}, ending.signal);
      if (response.status === 204) return;
      on.open?.();
      pause = FIRST_PAUSE;
      for await (const event of eventsOf(response.body)) {
        lastId = event.id ?? lastId;
        if (on[event.name]?.(JSON.parse(event.data))) return ending.abort();
      }
      on.lost?.(null, true);
    } catch (error) {
      if (ending.signal.aborted) return;
      const again = !(error.status >= 400 && error.status < 500 && error.status !== 429);
      on.lost?.(error, again);
      if (!again) return;
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  }
}

async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value.replaceAll("\r", "")).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const event = eventOf(block);
      if (event.data) yield event;
    }
  }
}

function eventOf(block) {
  const event = { name: "message", data: "", id: null };
  for (const line of block.split("\n")) {
    const [, field, value] = line.match(/^([^:]*):? ?(.*)$/);
    if (field === "data") event.data += (event.data ? "\n" : "") + value;
    else if (field === "event") event.name = value;
    else if (field === "id") event.id = value;
  }
  return event;
}
