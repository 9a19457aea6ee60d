/** How runbooks examine this installation, leave safe mode and order breakers about: the ways of `doctor` and the API. */
import { join } from "node:path";
import { askPaths } from "../adapter/critical-paths.js";
import { createTokenCare } from "../adapter/github-token.js";
import { createShell } from "../adapter/shell.js";
import { forceBreakerOpen, resetBreakers } from "../runtime/breaker-orders.js";
import { databaseExaminations } from "../runtime/doctor/database.js";
import { diagnose, type Examination, type Finding, findingOf } from "../runtime/doctor/diagnose.js";
import { machineExaminations } from "../runtime/doctor/machine.js";
import { judgeReceivers } from "../runtime/doctor/outside.js";
import { keepIncidentLog } from "../runtime/incident-files.js";
import { leaveSafeMode } from "../runtime/leave-safe-mode.js";
import type { Database } from "../store/database.js";
import { readMigrationFiles } from "../store/migration-files.js";
import type { SystemLooks, SystemOrders } from "../store/system-care.js";
import type { Foundation } from "./foundation.js";
import { reachOf } from "./reach.js";

/** Of each examination: all of them are made side by side. */
const EXAMINE_MS = 10_000;

export type Ground = Pick<
  Foundation,
  "config" | "policy" | "log" | "clock" | "redact" | "emit" | "notify"
>;

export function createSystemWays(foundation: Ground): SystemLooks & SystemOrders {
  return { ...createLooks(foundation), ...createOrders(foundation) };
}

function createLooks(foundation: Ground): SystemLooks {
  const { config, policy, log } = foundation;
  return {
    diagnose: async (db) => diagnose(await examinationsOf(foundation, db), EXAMINE_MS),
    probe: async (dependency, signal) => {
      const reach = reachOf(config, policy(), log);
      const found = reach.find(({ what }) => what === dependency);
      if (found) return describeProbe(await examine(found, signal));
      const known = reach.map(({ what }) => what).join(", ") || "none";
      return { ok: false, found: `${dependency} is not configured here (known are ${known})` };
    },
    criticalPaths: (signal) => {
      const { infrastructure, monitoring } = policy();
      const { paths, withinMs: timeoutMs } = monitoring.afterDeployment;
      return askPaths({ origin: `https://${infrastructure.api.host}`, paths, timeoutMs, signal });
    },
  };
}

async function examinationsOf(foundation: Ground, db: Database): Promise<Examination[]> {
  const { config, policy, clock, redact, log } = foundation;
  const files = await readMigrationFiles();
  const shell = createShell({ redact });
  return [
    ...machineExaminations({ home: config.home, shell, nodeVersion: process.versions.node }),
    ...databaseExaminations({ db, files, clock, isShared: config.database.url !== null }),
    { what: "policies", examine: async () => judgeReceivers(config, policy()) },
    ...reachOf(config, policy(), log),
  ];
}

async function examine({ examine, remedy }: Examination, signal: AbortSignal): Promise<Finding> {
  try {
    return await examine(AbortSignal.any([signal, AbortSignal.timeout(EXAMINE_MS)]));
  } catch (error) {
    return findingOf(error, remedy);
  }
}

/** What is doubtful answers all the same. */
function describeProbe({ status, found }: Finding): { ok: boolean; found: string } {
  return { ok: status !== "fail", found };
}

function createOrders({ config, policy, clock, emit, notify }: Ground): SystemOrders {
  return {
    leaveSafeMode: (db, order) => leaveSafeMode({ db, notify, emit }, { ...order, force: false }),
    resetBreaker: (db, order) =>
      resetBreakers({ db, clock, emit, notify }, { ...order, gate: false }),
    openBreaker: (db, { by, dependency, forMs }) =>
      forceBreakerOpen({ db, clock, emit, notify }, { by, dependency, durationMs: forMs }),
    ...createTokenCare({ apiUrl: config.github.apiUrl, repository: config.gitopsRepo }),
    incidentRules: () => policy(),
    now: () => clock.now(),
    keepIncidentLog: (number, text) =>
      keepIncidentLog(join(config.home, "incidents"), number, text),
  };
}
