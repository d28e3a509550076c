// graphile-worker: a local queue filled by one statement, completions in batches; finished jobs are deleted.
import { fileURLToPath } from "node:url";
import { connection, require, run } from "./driver.mjs";

const { run: startWorker, runMigrations, makeWorkerUtils, Logger } = require("graphile-worker");
const { Pool } = require("pg");
const quiet = new Logger(() => () => {});
const pool = () => {
  const made = new Pool({ ...connection(), max: 10 });
  made.on("connect", (client) => client.on("error", () => {}));
  made.on("error", () => {});
  return made;
};
let utils;
let runner;

await run(
  {
    distribution: "graphile-worker",
    configuration: "localQueue 500, concurrentJobs 24, completeJobBatchDelay 0, failJobBatchDelay 0; addJobs in thousands",
    unfinished: "SELECT EXISTS (SELECT FROM graphile_worker._private_jobs)",

    async setup() {
      const pgPool = pool();
      await runMigrations({ pgPool, logger: quiet });
      await pgPool.end();
    },

    async open() {
      utils = await makeWorkerUtils({ pgPool: pool(), logger: quiet });
    },

    async bulk(jobs) {
      for (let start = 0; start < jobs.length; start += 1_000) {
        const part = jobs.slice(start, start + 1_000).map((payload) => ({ identifier: "noop", payload }));
        await utils.addJobs(part);
      }
    },

    async single(payload) {
      await utils.addJob("noop", payload);
    },

    async work(report) {
      runner = await startWorker({
        pgPool: pool(),
        logger: quiet,
        noHandleSignals: true,
        taskList: { noop: async (payload) => report.handled(payload.sent) },
        preset: {
          worker: {
            concurrentJobs: 24,
            pollInterval: 1_000,
            localQueue: { size: 500 },
            completeJobBatchDelay: 0,
            failJobBatchDelay: 0,
          },
        },
      });
    },

    async stop() {
      await runner.stop();
    },
  },
  fileURLToPath(import.meta.url),
);
