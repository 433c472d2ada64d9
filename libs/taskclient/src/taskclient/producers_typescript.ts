import { randomUUID } from "node:crypto";
import { createClient } from "redis";

export interface SendOptions {
  /** Not before. */
  eta?: Date;
  /** Not after; the task is revoked instead. */
  expires?: Date;
  /** What ties the task to a request in the logs; its id by default. */
  correlationId?: string;
  /** Of all calls of the task with the same key one runs, the others get its result. */
  idempotencyKey?: string;
  /** A new UUID by default. */
  taskId?: string;
  /** Another queue than the task's own. */
  queue?: string;
}

/** The task failed, was refused by the worker (`InvalidPayload`) or revoked. */
export class TaskFailed extends Error {
  constructor(
    readonly taskId: string,
    readonly status: string,
    readonly errorType: string,
    readonly details: unknown[],
  ) {
    super(`Task ${taskId} ended as ${status}: ${errorType}: ${String(details[0] ?? "")}`);
  }
}

/** The wait ended before the task did; it may still run. */
export class TaskTimeout extends Error {}

const MAX_BYTES = 256 * 1024;
const KEY_PREFIX = "celery-task-meta-";
const FINISHED = ["SUCCESS", "FAILURE", "REVOKED"];

interface TaskRecord {
  status: string;
  result: unknown;
}

const redis = (url: string) => createClient({ url });
type Redis = ReturnType<typeof redis>;

/** One task, known by its id. */
export class TaskHandle<Result> {
  constructor(
    readonly id: string,
    private readonly results: Redis,
    private readonly channel: Redis,
  ) {}

  /** Celery's word for the state; PENDING also for a task that nobody knows. */
  async status(): Promise<string> {
    return (await this.record()).status;
  }

  /** What the task returned; rejects with TaskFailed or TaskTimeout. */
  async result(timeoutSeconds: number): Promise<Result> {
    const key = KEY_PREFIX + this.id;
    let settle: () => void = () => {};
    let found = { status: "PENDING", result: null } as TaskRecord;
    const finished = new Promise<void>((resolve) => (settle = resolve));
    const look = (record: TaskRecord) => {
      if (!FINISHED.includes(found.status)) found = record;
      if (FINISHED.includes(found.status)) settle();
    };
    const listener = (text: string) => look(JSON.parse(text) as TaskRecord);
    const timer = setTimeout(settle, timeoutSeconds * 1000);
    try {
      await this.channel.subscribe(key, listener);
      look(await this.record()); // what came before the subscription
      await finished;
    } finally {
      clearTimeout(timer);
      await this.channel.unsubscribe(key, listener);
    }
    if (found.status === "SUCCESS") return found.result as Result;
    if (!FINISHED.includes(found.status)) throw new TaskTimeout(`Task ${this.id} has not finished: ${found.status}`);
    const failure = found.result as { exc_type?: string; exc_message?: unknown[] } | null;
    throw new TaskFailed(this.id, found.status, failure?.exc_type ?? "Unknown", [failure?.exc_message ?? []].flat());
  }

  private async record(): Promise<TaskRecord> {
    const text = await this.results.get(KEY_PREFIX + this.id);
    return text === null ? { status: "PENDING", result: null } : (JSON.parse(text) as TaskRecord);
  }
}

/** Sends tasks to the workers' Redis; one for a process is enough. */
export class TaskClient {
  private constructor(
    private readonly broker: Redis,
    private readonly results: Redis,
    private readonly channel: Redis,
  ) {}

  /** Connect; results are by default in the database after that of the broker. */
  static async connect(brokerUrl: string, resultUrl?: string): Promise<TaskClient> {
    const url = new URL(brokerUrl);
    url.pathname = `/${Number(url.pathname.slice(1) || "0") + 1}`;
    const clients = [redis(brokerUrl), redis(resultUrl ?? url.href), redis(resultUrl ?? url.href)] as const;
    for (const client of clients) client.on("error", () => {}); // it reconnects; what is lost, its command says
    await Promise.all(clients.map((client) => client.connect()));
    return new TaskClient(...clients);
  }

  async close(): Promise<void> {
    await Promise.all([this.broker, this.results, this.channel].map((client) => client.close()));
  }

  /** Send a task by its name; the functions below do, with its types. */
  async send<Result>(name: string, payload: object, options: SendOptions & { queue: string }): Promise<TaskHandle<Result>> {
    const id = options.taskId ?? randomUUID();
    const kwargs = JSON.stringify(payload);
    if (Buffer.byteLength(kwargs) > MAX_BYTES) throw new RangeError(`The payload for ${name} is over 256 KiB: send a reference.`);
    const headers = {
      lang: "js",
      task: name,
      id,
      root_id: id,
      parent_id: null,
      eta: options.eta?.toISOString() ?? null,
      expires: options.expires?.toISOString() ?? null,
      retries: 0,
      timelimit: [null, null],
      argsrepr: "()",
      kwargsrepr: "hidden",
      origin: "producers_typescript",
      "x-correlation-id": options.correlationId ?? id,
      "x-published-at": Date.now() / 1000,
      ...(options.eta && { "x-due-at": options.eta.getTime() / 1000 }),
      ...(options.idempotencyKey !== undefined && { "idempotency-key": options.idempotencyKey }),
    };
    const message = {
      body: Buffer.from(`[[],${kwargs},{"callbacks":null,"errbacks":null,"chain":null,"chord":null}]`).toString("base64"),
      "content-encoding": "utf-8",
      "content-type": "application/json",
      headers,
      properties: {
        correlation_id: id,
        delivery_mode: 2,
        delivery_info: { exchange: "", routing_key: options.queue },
        priority: 0,
        body_encoding: "base64",
        delivery_tag: randomUUID(),
      },
    };
    await this.broker.lPush(options.queue, JSON.stringify(message));
    return new TaskHandle<Result>(id, this.results, this.channel);
  }
}
