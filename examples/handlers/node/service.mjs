// Runs jobs over HTTP, with nothing but Node.js.
//
// HANDLER_SECRET=whsec_... node examples/handlers/node/service.mjs [port]

import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const KEY = Buffer.from((process.env.HANDLER_SECRET ?? "").replace(/^whsec_/, ""), "base64");
const TOLERANCE_SECONDS = 300;
const MAX_BODY_BYTES = 16 * 1024 * 1024;

// With an empty key anybody could sign.
if (KEY.length === 0) {
  console.error("HANDLER_SECRET: the secret that was shown when the handler was registered is needed");
  process.exit(1);
}

/** Whether the request was signed with our secret, not long ago. */
function isOurs(headers, body) {
  const stamp = headers["webhook-timestamp"] ?? "";
  if (!/^\d+$/.test(stamp) || Math.abs(Date.now() / 1000 - Number(stamp)) > TOLERANCE_SECONDS) return false;
  const hmac = createHmac("sha256", KEY).update(`${headers["webhook-id"]}.${stamp}.`).update(body);
  const ours = Buffer.from(`v1,${hmac.digest("base64")}`);
  // There are two while the secret is being changed.
  return (headers["webhook-signature"] ?? "").split(" ").some((given) => {
    const theirs = Buffer.from(given);
    return theirs.length === ours.length && timingSafeEqual(theirs, ours);
  });
}

async function read(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > MAX_BODY_BYTES) throw new Error("the body is too large");
    parts.push(part);
  }
  return Buffer.concat(parts);
}

async function handle(request, response) {
  const body = await read(request);
  if (!isOurs(request.headers, body)) return response.writeHead(401).end("the signature is not ours");
  const { width, height } = JSON.parse(body).data.args;
  // The same request can never succeed: the job is discarded.
  if (!Number.isInteger(width) || !Number.isInteger(height)) {
    return response.writeHead(422).end("width and height must be whole numbers");
  }
  const pixels = width * height;
  // The header decides, whatever the status: nobody needs the job, and nothing went wrong.
  if (pixels === 0) return response.writeHead(200, { "Job-Outcome": "cancel" }).end("there is nothing to resize");
  // Again in a minute, and the attempt does not count.
  if (pixels > 100_000_000) return response.writeHead(200, { "Job-Outcome": "snooze", "Retry-After": "60" }).end();
  // Again in half a minute, and the attempt counts.
  if (pixels > 50_000_000) return response.writeHead(503, { "Retry-After": "30" }).end("no room for a picture of this size");
  // The connection closes when the job is cancelled, runs out of time, or its executor stops.
  const over = new AbortController();
  response.once("close", () => over.abort());
  response.writeHead(200, { "Content-Type": "application/x-ndjson" });
  const say = (line) => response.write(`${JSON.stringify(line)}\n`);
  say({ t: "log", level: "info", msg: `resizing to ${width} x ${height}` });
  for (const pct of [25, 75]) {
    await sleep(10, undefined, { signal: over.signal }); // throws when it is over
    say({ t: "progress", pct, note: `${pct} %` });
  }
  say({ t: "output", data: { pixels } });
  say({ t: "result", outcome: "complete" }); // a stream without a result is retried
  response.end();
}

createServer((request, response) => {
  handle(request, response).catch((error) => {
    // 500: tried again by the retry policy.
    if (!response.headersSent) response.writeHead(500);
    response.end(error.message);
  });
}).listen(Number(process.argv[2] ?? 8080), "127.0.0.1");

process.on("SIGTERM", () => process.exit(0));
