// Sends a task and prints its result, with npm's celery-node.
//
//   node send-with-celery-node.mjs app.tasks.email.send_email '{"to": "ada@example.com", "subject": "Hello", "body": "Hi"}'
import celery from "celery-node";

const [name, payload] = process.argv.slice(2);
const broker = process.env.BROKER_URL ?? "redis://localhost:6379/0";
const results = process.env.RESULT_URL ?? "redis://localhost:6379/1"; // the database after that of the broker

const queue = name.split(".")[2]; // the queue is the third part of the name; a client has one queue
const client = celery.createClient(broker, results, queue);
try {
  const task = client.sendTask(name, [], JSON.parse(payload));
  console.log(JSON.stringify(await task.get(20_000)));
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await client.disconnect();
}
