// Where a proof plays: a private database server, supervising processes that are started again like a platform
// does it, and the means to kill any of them.
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startEmbeddedPostgres } from "../../dist/src/adapter/embedded-postgres.js";
import { systemClock } from "../../dist/src/base/clock.js";
import { silentLogger } from "../../dist/src/base/log.js";
import { openDatabase } from "../../dist/src/store/database.js";
import { migrate } from "../../dist/src/store/migrate.js";
import { readMigrationFiles } from "../../dist/src/store/migration-files.js";

const PROGRAM = fileURLToPath(new URL("./program.mjs", import.meta.url));
const RESTART_MS = 300;
const ASK_MS = 200;
const START_MAX_MS = 120_000;

/** Lends a scene, with our tables unless told otherwise, and leaves nothing of it behind unless `keep`. */
export async function withScene(keep, work, { migrated = true } = {}) {
  const home = realpathSync(mkdtempSync(join(tmpdir(), "algobrain-proof-")));
  // When root runs it, another account runs the server: it must be able to enter.
  chmodSync(home, 0o755);
  const server = await startEmbeddedPostgres({ home, log: silentLogger });
  const scene = new Scene(home, server.url);
  try {
    if (migrated) await migrate(scene.db, await readMigrationFiles());
    return await work(scene);
  } finally {
    await scene.end();
    await server.stop();
    if (!keep) rmSync(home, { recursive: true, force: true });
  }
}

class Scene {
  #mains = new Map();
  #ended = false;
  #log;

  constructor(home, url) {
    this.home = home;
    this.url = url;
    this.journals = join(home, "journal");
    mkdirSync(this.journals);
    this.#log = openSync(join(home, "log"), "a");
    this.db = openDatabase({
      url,
      poolMax: 3,
      applicationName: "proof",
      ssl: false,
      onIdleError: () => {},
    });
  }

  /** Also through the moments in which the server is away. */
  async ask(sql, values = []) {
    for (;;) {
      try {
        return (await this.db.query(sql, values)).rows;
      } catch (error) {
        if (error.code !== "DATABASE_UNAVAILABLE" && error.code !== "DATABASE_POOL_EXHAUSTED")
          throw error;
        await systemClock.sleep(ASK_MS);
      }
    }
  }

  startMain(name, settings) {
    const child = spawn(process.execPath, [PROGRAM, "main"], {
      env: {
        ...{ PATH: process.env.PATH, HOME: this.home, ALGOBRAIN_HOME: join(this.home, name) },
        ...{
          DATABASE_URL: this.url,
          PROOF_JOURNAL: this.journals,
          PROOF_SETTINGS: JSON.stringify(settings),
        },
      },
      stdio: ["ignore", this.#log, this.#log],
    });
    this.#mains.set(name, child);
    child.once("exit", () => {
      this.#mains.delete(name);
      if (!this.#ended)
        void systemClock
          .sleep(RESTART_MS)
          .then(() => this.#ended || this.startMain(name, settings));
    });
  }

  /** Worker processes that live and are registered: `{ id, pid }`. */
  async workers() {
    const rows = await this.ask(
      "SELECT id, pid FROM workers WHERE status = 'alive' ORDER BY process_number",
    );
    return rows.filter(({ pid }) => isAlive(pid));
  }

  async untilAlive(count) {
    const byMs = performance.now() + START_MAX_MS;
    while ((await this.workers()).length < count) {
      if (performance.now() > byMs)
        throw new Error(`the processes do not start: see ${this.home}/log`);
      await systemClock.sleep(ASK_MS);
    }
  }

  /** A living process of a sort (`main`, `internal-worker`, `general-worker`): `{ sort, pid }`, or null. */
  async find(sort, random) {
    const mains = [...this.#mains.values()].map(({ pid }) => ({ sort: "main", pid }));
    const workers = (await this.workers()).map(({ id, pid }) => ({
      sort: id.replace(/-\d+$/, ""),
      pid,
    }));
    const all = [...mains, ...workers].filter((it) => it.sort === sort);
    return all[Math.floor(random * all.length)] ?? null;
  }

  /** Whoever looks after the embedded server starts it again at its place. */
  async restartServer(signal) {
    const { folder } = JSON.parse(readFileSync(join(this.home, "postgres.json"), "utf8"));
    const before = postmaster(folder);
    kill(before, signal);
    while (postmaster(folder) === before || !(await this.#answers()))
      await systemClock.sleep(ASK_MS);
  }

  async #answers() {
    return this.db.query("SELECT 1").then(
      () => true,
      () => false,
    );
  }

  async stopMains() {
    this.#ended = true;
    await Promise.all(
      [...this.#mains.values()].map(async (child) => {
        const exited = once(child, "exit");
        child.kill("SIGTERM");
        await exited;
      }),
    );
  }

  async end() {
    await this.stopMains();
    await this.db.close();
  }
}

function postmaster(folder) {
  try {
    return Number(readFileSync(join(folder, "data", "postmaster.pid"), "utf8").split("\n", 1)[0]);
  } catch {
    // Between two servers there is no such file.
    return 0;
  }
}

/** A zombie, which only waits to be buried, is not alive. */
export function isAlive(pid) {
  try {
    process.kill(pid, 0);
    if (process.platform !== "linux") return true;
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return !/^ [ZX]/.test(stat.slice(stat.lastIndexOf(")") + 1));
  } catch {
    return false;
  }
}

export function kill(pid, signal) {
  try {
    return process.kill(pid, signal);
  } catch {
    // It died of itself a moment before.
    return false;
  }
}
