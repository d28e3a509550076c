// pg-boss: fetches and completes a thousand jobs with one statement each; one handler call takes them all.
import { fileURLToPath } from "node:url";
import { connection, require, run } from "./driver.mjs";

const { PgBoss } = require("pg-boss");
let boss;

const make = (options) => {
  const made = new PgBoss({ ...connection(), max: 10, schedule: false, useListenNotify: true, ...options });
  made.on("error", (error) => process.stderr.write(`${error}\n`));
  return made;
};

await run(
  {
    distribution: "pg-boss",
    configuration:
      "batchSize 1,000 (one handler call a batch), burstWhenBatchFull, LISTEN/NOTIFY, polling every 0.5 s; insert in thousands",
    unfinished: "SELECT EXISTS (SELECT FROM pgboss.job WHERE name = 'bench' AND state < 'completed')",

    async setup() {
      const made = make({ supervise: false });
      await made.start();
      await made.createQueue("bench", { notify: true });
      await made.stop({ graceful: false });
    },

    async open() {
      boss = make({ supervise: false });
      await boss.start();
    },

    async bulk(jobs) {
      for (let start = 0; start < jobs.length; start += 1_000) {
        await boss.insert("bench", jobs.slice(start, start + 1_000).map((data) => ({ data })));
      }
    },

    async single(data) {
      await boss.send("bench", data);
    },

    async work(report) {
      const options = { batchSize: 1_000, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true };
      await boss.work("bench", options, async (jobs) => {
        for (const job of jobs) report.handled(job.data.sent);
      });
    },

    async stop() {
      await boss.stop({ graceful: false });
    },
  },
  fileURLToPath(import.meta.url),
);
