/** Every handler of this program, with its ports. */
import { join } from "node:path";
import { reapProgram } from "../adapter/reap.js";
import { fault } from "../base/fault.js";
import { createInboundHandler } from "../bot/inbound.js";
import type { JobHandler } from "../job/port.js";
import type { RunbookRegistry } from "../runbook/registry.js";
import { createAfterRun } from "../runtime/after-run.js";
import { createApprovalsMin } from "../runtime/approvals-min.js";
import { countDueRows } from "../runtime/due-rows.js";
import { openPower } from "../runtime/executor/power.js";
import { reapOrphans } from "../runtime/executor/reap.js";
import type { Notify } from "../runtime/handler/alert.js";
import { createNoticeHandler } from "../runtime/handler/notice.js";
import { createRunbookHandler } from "../runtime/handler/runbook.js";
import { createSystemHandlers } from "../runtime/handler/system.js";
import { createDatabaseReader, createDatabaseWriter } from "../store/database-care.js";
import { createSystemReader, createSystemWriter } from "../store/system-care.js";
import { createWorkloadReader } from "../store/workload-care.js";
import { openRunAws } from "./aws.js";
import type { Foundation } from "./foundation.js";
import { createRegistry } from "./kinds.js";
import type { Ports } from "./ports.js";
import { createSystemWays } from "./system-ways.js";
import { WORKLOAD } from "./workload.js";

export function createHandlers(
  foundation: Foundation,
  ports: Ports,
  registry: RunbookRegistry,
): JobHandler[] {
  const { db, policy, clock, random, config } = foundation;
  const care = {
    backupsDir: join(config.home, "backups"),
    directUrl: foundation.directUrl,
    ...{ ssl: config.database.ssl, environment: config.environment, shell: ports.shell },
    now: () => clock.now(),
    poolSize: () => config.overrides.poolSize ?? policy().infrastructure.database.poolSize,
  };
  const ways = createSystemWays(foundation);
  const shared = { db, policy, clock, random, registry, ...ports };
  return [
    ...WORKLOAD.createHandlers({
      ...{ db, git: ports.git, cache: ports.cache },
      ...{ source: ports.source, clones: ports.clones },
      lifetimes: () => policy().cache,
      policy: () => policy().workload,
    }),
    ...createSystemHandlers({
      ...{ db, policy, clock, care },
      exportsDir: join(config.home, "exports"),
      exportBucket: ports.exportBucket,
      notify: notifyThrough(ports),
      tell: foundation.notify,
    }),
    createInboundHandler({ ...shared, gitopsRepo: config.gitopsRepo }),
    createRunbookHandler({
      ...{ ...shared, redact: foundation.redact, notify: foundation.notify },
      stop: foundation.stop,
      checkPayload: (kind, payload) => createRegistry().checkPayload(kind, payload),
      care: (sql, actor, shell) => ({
        database: {
          ...createDatabaseReader(sql, care),
          ...createDatabaseWriter(sql, { ...care, shell }),
        },
        system: { ...createSystemReader(sql, ways), ...createSystemWriter(sql, actor, ways) },
      }),
      workload: (sql) =>
        createWorkloadReader(sql, { due: (reader) => countDueRows(reader, policy(), clock.now()) }),
      openPower: (run, runbook) =>
        openPower({ ...foundation, ...config, ssl: config.database.ssl }, run, runbook),
      openAws: (run, runbook, signal) => openRunAws(foundation, run, runbook, signal),
      approvalsMin: createApprovalsMin({ db, policy, registry }),
      afterRun: createAfterRun(foundation),
      reap: (runSeq) => reapOrphans({ db, log: foundation.log, reap: reapProgram }, runSeq),
    }),
    createNoticeHandler(shared),
  ];
}

/** A test message goes the way of a real one, except that it waits in no outbox. */
function notifyThrough(ports: Ports): Notify {
  return (delivery, signal) => {
    const notifier = ports.notifiers.get(delivery.receiver.kind);
    if (notifier) return notifier.deliver(delivery, signal);
    const { name, kind } = delivery.receiver;
    throw fault.data(
      "RECEIVER_NOT_CONFIGURED",
      `receiver "${name}" is a ${kind} one, and ${kind} is not configured`,
      {
        hint: "docs/operating.md lists the variables of each",
      },
    );
  };
}
