// A private PostgreSQL with our tables in it, for the benchmarks of alerts: gone with them.

import { openDatabase } from "../../dist/src/store/database.js";
import { migrate } from "../../dist/src/store/migrate.js";
import { readMigrationFiles } from "../../dist/src/store/migration-files.js";
import { withServers } from "../queue/servers.mjs";

const USER = "bench";
const DATABASE = `bench_alerts${process.env.BENCH_DB_SUFFIX ?? ""}`;

/** Lends `work` an open database and its address. BENCH_PG_PORT names a server of yours; its database `bench_alerts` is made anew. */
export function withDatabase(work) {
  return withServers(async ({ env, settings }) => {
    const address = (name) => `postgres://${USER}@127.0.0.1:${env.BENCH_PG_PORT}/${name}`;
    const admin = open(address("postgres"));
    await admin.query(`DROP DATABASE IF EXISTS ${DATABASE}`);
    await admin.query(`CREATE DATABASE ${DATABASE}`);
    await admin.close();
    const url = address(DATABASE);
    const db = open(url);
    try {
      await migrate(db, await readMigrationFiles());
      console.log(settings.find((one) => one.startsWith("PostgreSQL")));
      return await work(db, url);
    } finally {
      await db.close();
    }
  });
}

function open(url) {
  return openDatabase({ url, poolMax: 4, applicationName: "bench", ssl: false });
}
