// What every driver of a JavaScript job queue does alike: the protocol of driver.py, command by command.
import { fork } from "node:child_process";
import { createSocket } from "node:dgram";
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const FLUSH_MS = 5;
const STOP_MS = 10_000;

/** Loads a package from the folder that the harness installed it in. */
export const require = createRequire(`${process.env.BENCH_MODULES}/`);

/** The database in the form of the driver `pg`. */
export function connection() {
  const parts = Object.fromEntries(process.env.BENCH_DSN.split(" ").map((part) => part.split("=")));
  return { host: parts.host, port: Number(parts.port), user: parts.user, database: parts.dbname };
}

export function versionOf(name) {
  return JSON.parse(readFileSync(`${process.env.BENCH_MODULES}/node_modules/${name}/package.json`, "utf8")).version;
}

/** Tells the harness what the handlers of this process have seen, at most every 5 ms. */
class Report {
  #socket = createSocket("udp4");
  #count = 0;
  #told = 0;
  #start = null;
  #waits = [];

  constructor() {
    setInterval(() => this.#flush(), FLUSH_MS);
  }

  handled(sent) {
    this.#start ??= { first: Number(process.hrtime.bigint()), cpu_at_first: cpuSeconds(), rss_at_first: process.memoryUsage.rss() };
    this.#count += 1;
    if (sent !== undefined) this.#waits.push((Number(process.hrtime.bigint()) - sent) / 1e6);
  }

  #flush() {
    if (this.#count === this.#told) return;
    this.#told = this.#count;
    const figures = { pid: process.pid, handled: this.#told, waits: this.#waits, ...this.#start, cpu: cpuSeconds(), rss: process.memoryUsage.rss() };
    this.#waits = [];
    this.#socket.send(JSON.stringify(figures), Number(process.env.BENCH_REPORT), "127.0.0.1");
  }
}

/** Be the driver of `peer`, or with the argument `work` a worker process of it. */
export async function run(peer, file) {
  if (process.argv[2] === "work") {
    process.on("disconnect", () => process.exit(0));
    process.on("message", async () => {
      setTimeout(() => process.exit(0), 3_000).unref();
      await peer.stop?.();
      process.exit(0);
    });
    await peer.open();
    await peer.work(new Report());
    process.send("ready");
    return;
  }
  let opened = false;
  let workers = [];
  for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    if (command.do !== "setup" && !opened) {
      await peer.open();
      opened = true;
    }
    let answer = {};
    switch (command.do) {
      case "setup":
        await peer.setup();
        answer = { version: versionOf(peer.distribution), configuration: peer.configuration, unfinished: peer.unfinished };
        break;
      case "enqueue_bulk":
        answer = await timed(() => peer.bulk(Array.from({ length: command.jobs }, (_, n) => ({ n }))));
        break;
      case "enqueue_single":
        answer = await timed(async () => {
          for (let n = 0; n < command.jobs; n++) await peer.single({ n });
        });
        break;
      case "work":
        workers = await Promise.all(Array.from({ length: command.processes }, () => start(file)));
        break;
      case "latency":
        for (let n = 0; n < command.jobs; n++) {
          await new Promise((resolve) => setTimeout(resolve, 20 + 30 * ((n * 0.618034) % 1)));
          await peer.single({ n, sent: Number(process.hrtime.bigint()) });
        }
        break;
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
  await Promise.all(workers.map(stop));
  process.exit(0);
}

function start(file) {
  return new Promise((resolve, reject) => {
    const worker = fork(file, ["work"], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    worker.once("message", () => resolve(worker));
    worker.once("exit", (code) => reject(new Error(`a worker ended before it was ready (exit code ${code})`)));
  });
}

function stop(worker) {
  return new Promise((resolve) => {
    const force = setTimeout(() => worker.kill("SIGKILL"), STOP_MS);
    worker.once("exit", () => {
      clearTimeout(force);
      resolve();
    });
    worker.send("stop");
  });
}

function cpuSeconds() {
  const used = process.cpuUsage();
  return (used.user + used.system) / 1e6;
}

async function timed(work) {
  const started = process.hrtime.bigint();
  await work();
  return { seconds: Number(process.hrtime.bigint() - started) / 1e9 };
}
