// Plays the kit's commands with talend.mjs. A clock that is set by each command stands in for the machine's.
import { createInterface } from "node:readline";

let now = 0;
Date.now = () => now * 1000;
const { talendFetch } = await import("../../../infra/consumer-node/talend.mjs");

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  now = command.now;
  talendFetch(command.url, { method: command.method, body: command.body }).then(
    (answer) => console.log(JSON.stringify({ id: command.id, status: answer.status })),
    (error) => console.log(JSON.stringify({ id: command.id, error: String(error) })),
  );
}
