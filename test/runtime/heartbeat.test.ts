/** The last thing that the thread of a heartbeat does, whatever the process is busy with. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { markWorker, registerWorker } from "../../src/store/workers.js";
import { withDatabase } from "../support/database.js";

const src = (path: string) => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);

/** Beats, says so, and is deaf from then on: a handler that never lets the loop go. */
const BUSY = `
  import { writeSync } from "node:fs";
  import { startHeartbeat } from ${src("runtime/heartbeat.ts")};
  const options = JSON.parse(process.argv[2]);
  const heartbeat = startHeartbeat(
    { ...options, ssl: false, deadAfterMs: 4000, parentPid: null, started: new SharedArrayBuffer(64) },
    () => {},
  );
  await heartbeat.beating;
  writeSync(1, "beats");
  for (;;) Math.sqrt(2);`;

test("a worker that others took for dead is killed, though they have taken its evidence away", async () => {
  const folder = await mkdtemp(join(tmpdir(), "algobrain-heartbeat-"));
  try {
    await writeFile(join(folder, "busy.mjs"), BUSY);
    await withDatabase(async (db, databaseUrl) => {
      const worker = { lane: "general", kinds: ["index"], hostname: "h", pid: 1 } as const;
      const { id: workerId } = await registerWorker(db, worker);
      const evidencePath = join(folder, "removed.started");
      const options = JSON.stringify({ databaseUrl, workerId, evidencePath });
      const child = spawn(
        process.execPath,
        ["--import", import.meta.resolve("tsx"), join(folder, "busy.mjs"), options],
        // If the thread fails, the loop goes on for ever.
        { stdio: ["ignore", "pipe", "inherit"], timeout: 30_000, killSignal: "SIGTERM" },
      );
      const ended = once(child, "exit");
      await once(child.stdout, "data");
      await markWorker(db, workerId, "dead");
      expect(await ended).toEqual([null, "SIGKILL"]);
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
