/**
 * Looks after a server in use: one that died (killed, out of memory) is started again at its port, so that
 * whoever holds its URL finds it there, with everything that was committed.
 */
import { systemClock } from "../../base/clock.js";
import { errorMessage } from "../../base/fault.js";
import type { Logger } from "../../base/log.js";
import { isHeld, type Server, start } from "./server.js";

/** Whoever finds it away tries again for longer than this. */
const LOOK_EVERY_MS = 1_000;
/** Between two starts that failed, e.g. while a stranger has the port. */
const RETRY_MS = 5_000;

export interface Keeping {
  /** Resolves when nobody looks any more; call it before the server is stopped. */
  stop(): Promise<void>;
}

export function keepRunning(server: Server, port: number, log: Logger): Keeping {
  const stopped = new AbortController();
  const looking = look(server, port, log, stopped.signal);
  return {
    stop: async () => {
      stopped.abort();
      await looking;
    },
  };
}

/** Never rejects. */
async function look(
  server: Server,
  port: number,
  log: Logger,
  stopped: AbortSignal,
): Promise<void> {
  let pauseMs = LOOK_EVERY_MS;
  for (;;) {
    await systemClock.sleep(pauseMs, stopped);
    if (stopped.aborted) return;
    pauseMs = isHeld(server) || (await revive(server, port, log)) ? LOOK_EVERY_MS : RETRY_MS;
  }
}

async function revive(server: Server, port: number, log: Logger): Promise<boolean> {
  log.warn("embedded-postgres.died", { port });
  try {
    const { pid } = await start(server, port);
    log.info("embedded-postgres.started", {
      ...{ version: server.program.version, folder: server.place.folder, pid, port },
    });
    return true;
  } catch (error) {
    log.error("embedded-postgres.not-started", { port, error: errorMessage(error) });
    return false;
  }
}
