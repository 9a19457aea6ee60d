/**
 * An internal worker process with runbooks that press a button, which is a line in a file: the first press
 * never comes back, so that the process can be killed between intent and result.
 */
import { once } from "node:events";
import { appendFileSync, readFileSync } from "node:fs";
import { systemClock } from "../../src/base/clock.js";
import { silentLogger } from "../../src/base/log.js";
import { createRegistry } from "../../src/main/kinds.js";
import type { Repeat } from "../../src/runbook/define.js";
import type { RunbookRegistry } from "../../src/runbook/registry.js";
import { createRunbookHandler } from "../../src/runtime/handler/runbook.js";
import { createWorker } from "../../src/runtime/worker.js";
import { openDatabase } from "../../src/store/database.js";
import { makePolicy } from "./make-policy.js";
import { ACCESS, makeHandlerDeps, makeRegistry, makeRunbook, makeShell } from "./runbook-world.js";

const BUTTON_FILE = "TEST_BUTTON_FILE";

function press(name: string, repeat: Repeat<never>) {
  return makeRunbook(name, {
    steps: [
      {
        name: "press the button",
        repeat,
        run: async ({ signal }) => {
          const file = process.env[BUTTON_FILE] ?? "";
          appendFileSync(file, "pressed\n");
          const isFirst = readFileSync(file, "utf8") === "pressed\n";
          if (isFirst) await once(signal, "abort");
          return "pressed";
        },
      },
    ],
  });
}

/** The same on both sides: a run is pinned to the digest of its runbook. */
export function buttonRunbooks(): RunbookRegistry {
  return makeRegistry(press("press-once", "never"), press("press-again", "safe"));
}

export function buttonEnvironment(url: string, file: string): Record<string, string> {
  return { PATH: process.env.PATH ?? "", TEST_BUTTON_DATABASE: url, [BUTTON_FILE]: file };
}

async function work(url: string): Promise<void> {
  const db = openDatabase({ url, poolMax: 5, applicationName: "test-button", ssl: false });
  const policy = () => makePolicy({ access: ACCESS });
  const handler = createRunbookHandler({
    ...{ db, policy, clock: systemClock, registry: buttonRunbooks() },
    ...{ shell: makeShell(), incidents: null },
    ...makeHandlerDeps(db),
  });
  const worker = createWorker({
    ...{ db, databaseUrl: url, databaseSsl: false, policy, registry: createRegistry() },
    ...{ handlers: [handler], lane: "executor", kinds: null, globalCap: 100, pollMaxMs: 200 },
    ...{ drainMs: 0, parentPid: null, clock: systemClock, log: silentLogger, emit: () => {} },
    ...{ random: Math.random, redact: (text) => text, notify: async () => {} },
    onFatal: () => process.exit(70),
  });
  process.on("SIGTERM", () => void worker.stop().then(() => db.close()));
  await worker.start();
}

const { TEST_BUTTON_DATABASE: url } = process.env;
if (url !== undefined) await work(url);
