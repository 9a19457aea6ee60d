/** What runbooks may know and do of the system around the jobs: its health, safe mode, breakers. */
import { notBuilt } from "../base/not-built.js";
import type { SystemReader, SystemWriter } from "../runbook/port.js";
import type { Database } from "./database.js";

export function createSystemReader(_db: Database): SystemReader {
  return {
    diagnose: () => notBuilt("diagnose"),
    brokenInvariants: () => notBuilt("brokenInvariants"),
    dependencies: () => notBuilt("dependencies"),
    probe: () => notBuilt("probe"),
  };
}

export function createSystemWriter(_db: Database): SystemWriter {
  return {
    exitSafeMode: () => notBuilt("exitSafeMode"),
    enterSafeMode: () => notBuilt("enterSafeMode"),
    resetBreaker: () => notBuilt("resetBreaker"),
    openBreaker: () => notBuilt("openBreaker"),
  };
}
