/** A small world around runbooks: who may what, a registry of made-up runbooks, ports that remember. */
import { tmpdir } from "node:os";
import { systemClock } from "../../src/base/clock.js";
import { fault } from "../../src/base/fault.js";
import type { JsonObject } from "../../src/base/json.js";
import type { JobContext } from "../../src/job/port.js";
import { createRegistry } from "../../src/main/kinds.js";
import type { Message } from "../../src/message/message.js";
import type { Access, AccessRule, Danger, PolicySet } from "../../src/policy/policy.js";
import { absentAws } from "../../src/runbook/aws-verbs.js";
import { defineRunbook, type Runbook, Type } from "../../src/runbook/define.js";
import type { Chat, Incidents, Programs, Shell, ShellResult } from "../../src/runbook/port.js";
import { RunbookRegistry } from "../../src/runbook/registry.js";
import { countDueRows } from "../../src/runtime/due-rows.js";
import {
  createRunbookHandler,
  type RunbookHandlerDeps,
} from "../../src/runtime/handler/runbook.js";
import type { Database, Sql } from "../../src/store/database.js";
import {
  createDatabaseReader,
  createDatabaseWriter,
  type DatabaseCareOptions,
} from "../../src/store/database-care.js";
import { type RunSubmission, type Submitted, submitRun } from "../../src/store/submit-run.js";
import {
  createSystemReader,
  createSystemWriter,
  type SystemLooks,
  type SystemOrders,
} from "../../src/store/system-care.js";
import { createWorkloadReader } from "../../src/store/workload-care.js";
import { makeContext } from "./job-context.js";
import { makeAccessRule, makePerson, makePolicy } from "./make-policy.js";

const rule = (danger: Danger, role: AccessRule["role"], approvals = 0): AccessRule =>
  makeAccessRule({ danger, role, doors: ["slack", "api", "cli", "pagerduty"], approvals });

export const ACCESS: Access = {
  people: [
    makePerson("ann", { slack: ["T1/UANN"] }),
    makePerson("vic", { role: "viewer", slack: ["T1/UVIC"] }),
  ],
  groups: {},
  serviceRoles: { pagerduty: "operator", policy: "operator" },
  rules: [rule("R", "viewer"), rule("V", "operator"), rule("D", "admin", 1)],
};

export const ANN = { name: "ann", role: "operator", door: "cli" } as const;

export function makeRunbook(
  name: string,
  more: Partial<Pick<Runbook, "danger" | "steps" | "verify" | "plan" | "locks" | "timeoutMs">> = {},
): Runbook {
  const made = defineRunbook({
    name,
    title: `the runbook ${name}`,
    danger: "V",
    params: Type.Object({ note: Type.Optional(Type.String()) }, { additionalProperties: false }),
    positional: ["note"],
    timeoutMs: 60_000,
    plan: async () => ({ text: "all is well", changes: ["change something"] }),
    steps: [{ name: "act", repeat: "safe", run: async () => "acted" }],
    next: () => `/algobrain look-after ${name}`,
  });
  return { ...made, ...more };
}

export function makeRegistry(...runbooks: Runbook[]): RunbookRegistry {
  return new RunbookRegistry(
    runbooks.map((runbook) => ({ runbook, contentHash: `hash of ${runbook.name}` })),
  );
}

export function submit(
  db: Database,
  registry: RunbookRegistry,
  runbook: string,
  more: Partial<RunSubmission> = {},
): Promise<Submitted> {
  return submitRun(db, {
    registry,
    access: ACCESS,
    actor: ANN,
    runbook,
    params: {},
    dryRun: false,
    ...more,
  });
}

/** The id of a run that was queued; fails when it was not. */
export async function queueRun(...args: Parameters<typeof submit>): Promise<string> {
  const submitted = await submit(...args);
  if (submitted.outcome !== "queued") throw new Error(`not queued: ${JSON.stringify(submitted)}`);
  return submitted.run.id;
}

export interface RememberingChat extends Chat {
  readonly posts: { channel: string; message: Message }[];
  readonly updates: { ts: string; message: Message }[];
  /** While true, every call fails as if Slack were down. */
  isDown: boolean;
}

export function makeChat(): RememberingChat {
  const chat: RememberingChat = {
    posts: [],
    updates: [],
    isDown: false,
    post: async (to, message) => {
      const channel = typeof to === "string" ? to : to.channel;
      if (chat.isDown) throw fault.transient("SLACK_UNAVAILABLE", "Slack is down");
      chat.posts.push({ channel, message });
      return { channel: `C-${channel}`, ts: `ts-${chat.posts.length}` };
    },
    update: async ({ ts }, message) => {
      if (chat.isDown) throw fault.transient("SLACK_UNAVAILABLE", "Slack is down");
      chat.updates.push({ ts, message });
    },
    ephemeral: async () => {},
    find: async () => "absent",
  };
  return chat;
}

export interface RememberingIncidents extends Incidents {
  readonly notes: { incidentId: string; text: string; marker: string }[];
}

export function makeIncidents(): RememberingIncidents {
  const notes: RememberingIncidents["notes"] = [];
  return {
    notes,
    addNote: async (incidentId, text, marker) => {
      if (!notes.some((note) => note.marker === marker)) notes.push({ incidentId, text, marker });
    },
    alerts: async () => [],
    status: async () => "triggered",
  };
}

/** Answers every command alike and remembers it. */
export function makeShell(stdout = ""): Shell & { readonly commands: string[] } {
  const commands: string[] = [];
  const result: ShellResult = {
    exitCode: 0,
    signal: null,
    endedBy: "exit",
    stdout,
    stderr: "",
    droppedBytes: 0,
    durationMs: 1,
  };
  return {
    commands,
    run: async (argv) => {
      commands.push(argv.join(" "));
      return result;
    },
    lines: () => {
      throw new Error("runbooks do not stream");
    },
  };
}

const noWay = async (): Promise<never> => {
  throw new Error("this world has no ways of the system: hand them in as `other.care`");
};

const NO_WAYS: SystemLooks & SystemOrders = {
  ...{ diagnose: noWay, probe: noWay, criticalPaths: noWay },
  ...{ leaveSafeMode: noWay, resetBreaker: noWay, openBreaker: noWay },
  ...{ testGitHubToken: noWay, revokeGitHubToken: noWay },
  incidentRules: () => makePolicy(),
  now: () => systemClock.now(),
  keepIncidentLog: noWay,
};

/** What the handler of runs stands on besides its database: everything in its place, nothing stopped or bounded. */
export function makeHandlerDeps(db: Database, care: Partial<DatabaseCareOptions> = {}) {
  const options: DatabaseCareOptions = {
    ...{ backupsDir: tmpdir(), directUrl: "", ssl: false, environment: "test" },
    ...{ poolSize: () => 10, now: () => systemClock.now(), shell: makeShell() },
    ...care,
  };
  const kinds = createRegistry();
  return {
    care: (sql: Database, actor: string, shell: Programs) => ({
      database: {
        ...createDatabaseReader(sql, options),
        ...createDatabaseWriter(sql, { ...options, shell }),
      },
      system: {
        ...createSystemReader(sql, NO_WAYS),
        ...createSystemWriter(sql, actor, NO_WAYS),
      },
    }),
    workload: (sql: Sql) =>
      createWorkloadReader(sql, {
        due: (reader) => countDueRows(reader, makePolicy(), systemClock.now()),
      }),
    checkPayload: (kind: string, payload: JsonObject) => kinds.checkPayload(kind, payload),
    stop: { read: async () => null },
    redact: (text: string) => text,
    openPower: async () => ({ db, secrets: [], close: async () => {} }),
    openAws: async () => ({
      aws: absentAws("this world has no AWS", "hand it in as `other.openAws`"),
      close: async () => {},
    }),
    approvalsMin: async () => 0,
    notify: async () => {},
    afterRun: async () => {},
    reap: async () => {},
  };
}

export interface HandlerWorld {
  readonly db: Database;
  readonly registry: RunbookRegistry;
  readonly chat?: Chat;
  readonly incidents?: Incidents;
  readonly shell?: Shell;
  readonly policy?: PolicySet;
  /** In place of what `makeHandlerDeps` gives. */
  readonly other?: Partial<RunbookHandlerDeps>;
}

/** Runs the handler of a run once, as a worker would. */
export function workOn(world: HandlerWorld, runId: string, signal?: AbortSignal) {
  const handler = createRunbookHandler({
    db: world.db,
    registry: world.registry,
    policy: () => world.policy ?? makePolicy({ access: ACCESS }),
    shell: world.shell ?? makeShell(),
    clock: systemClock,
    incidents: world.incidents ?? null,
    ...makeHandlerDeps(world.db),
    ...world.other,
  });
  return handler.run(makeLiveContext({ run_id: runId }, signal));
}

/** With the real time: leases and deadlines compare it with the database's. */
export function makeLiveContext(
  payload: { [key: string]: string | number },
  signal?: AbortSignal,
): JobContext {
  const context = makeContext({ payload, ...(signal ? { signal } : {}) });
  return { ...context, now: () => systemClock.now() };
}
