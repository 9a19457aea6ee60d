// One version of the software on the database of a scene: served, stopped, its workers killed.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../dist/src/base/clock.js";
import { isAlive, kill } from "./scene.mjs";

const WAIT_MAX_MS = 180_000;
const POLL_MS = 100;

const startedMs = performance.now();
export const say = (text) =>
  console.log(`${((performance.now() - startedMs) / 1_000).toFixed(1).padStart(6)} s  ${text}`);

export async function until(what, ask) {
  const byMs = performance.now() + WAIT_MAX_MS;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > byMs) throw new Error(`gave up: ${what}`);
    await systemClock.sleep(POLL_MS);
  }
}

/** One version, served: `algobrain serve` as an operator starts it. */
export class Version {
  #child = null;

  constructor(name, root, scene) {
    Object.assign(this, { name, root, scene, logPath: join(scene.home, `${name}.log`) });
  }

  async start() {
    const log = openSync(this.logPath, "w");
    this.#child = spawn(process.execPath, [join(this.root, "bin/algobrain.js"), "serve"], {
      cwd: this.root,
      env: {
        ...{ PATH: process.env.PATH, HOME: this.scene.home, PORT: "0" },
        ...{ ALGOBRAIN_HOME: join(this.scene.home, this.name), DATABASE_URL: this.scene.url },
      },
      stdio: ["ignore", log, log],
    });
    await until(`${this.name} starts: see ${this.logPath}`, () => {
      if (this.#child.exitCode !== null)
        throw new Error(readFileSync(this.logPath, "utf8").slice(-2_000));
      return readFileSync(this.logPath, "utf8").includes('"runtime.started"');
    });
    await until(`${this.name} has workers`, async () => (await this.workers()).length >= 3);
    say(`${this.name} serves`);
  }

  async stop() {
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await exited;
    say(`${this.name} has stopped`);
  }

  /** Its own, by their parent. */
  async workers() {
    const rows = await this.scene.ask("SELECT id, pid FROM workers WHERE status = 'alive'");
    return rows.filter(({ pid }) => isAlive(pid) && parentOf(pid) === this.#child.pid);
  }

  async killWorker() {
    const general = (await this.workers()).filter(({ id }) => id.startsWith("general"));
    const victim = general[Math.floor(Math.random() * general.length)];
    if (victim && kill(victim.pid, "SIGKILL")) say(`${victim.id} of ${this.name} was killed`);
  }
}

function parentOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}
