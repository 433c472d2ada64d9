// Sends a task and prints its result, with nothing but npm's redis.
//
//   node send.mjs app.tasks.email.send_email '{"to": "ada@example.com", "subject": "Hello", "body": "Hi"}'
import { randomUUID } from "node:crypto";
import { createClient } from "redis";

const [name, payload] = process.argv.slice(2);
const broker = createClient({ url: process.env.BROKER_URL ?? "redis://localhost:6379/0" });
const results = createClient({ url: process.env.RESULT_URL ?? "redis://localhost:6379/1" });
const channel = results.duplicate(); // a connection that listens can do nothing else
await Promise.all([broker, results, channel].map((client) => client.connect()));

const id = randomUUID();
const key = `celery-task-meta-${id}`; // where the result is stored, and the channel on which it is announced
const message = {
  body: Buffer.from(JSON.stringify([[], JSON.parse(payload), {}])).toString("base64"),
  "content-encoding": "utf-8",
  "content-type": "application/json",
  headers: { lang: "js", task: name, id, "x-published-at": Date.now() / 1000 },
  properties: { delivery_tag: randomUUID(), body_encoding: "base64" },
};

const record = await new Promise(async (resolve, reject) => {
  const timer = setTimeout(() => reject(new Error(`${id} has not finished`)), 20_000);
  const look = (text) => {
    const found = JSON.parse(text);
    if (["SUCCESS", "FAILURE", "REVOKED"].includes(found?.status)) resolve(found, clearTimeout(timer));
  };
  await channel.subscribe(key, look); // before the task is sent, so that nothing is missed
  await broker.lPush(name.split(".")[2], JSON.stringify(message)); // the queue is the third part of the name
});

if (record.status === "SUCCESS") console.log(JSON.stringify(record.result));
else console.error(record.status, record.result);
process.exitCode = record.status === "SUCCESS" ? 0 : 1;
await Promise.all([broker, results, channel].map((client) => client.close()));
