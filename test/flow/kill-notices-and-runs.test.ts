/** What must be said is said, what was acknowledged is done once, and what nobody can know is not repeated. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { startLoopback } from "../../src/adapter/stand-in/loopback.js";
import {
  type StandInPagerDuty,
  startStandInPagerDuty,
} from "../../src/adapter/stand-in/pagerduty.js";
import { type StandInSlack, startStandInSlack } from "../../src/adapter/stand-in/slack.js";
import { systemClock } from "../../src/base/clock.js";
import { silentLogger } from "../../src/base/log.js";
import { type SignedRequest, slackCommandRequest } from "../../src/gameday/sign.js";
import { recoverWorker } from "../../src/runtime/recover.js";
import type { Database } from "../../src/store/database.js";
import { enqueueNotice, readNotice } from "../../src/store/notices.js";
import { readSteps } from "../../src/store/run-steps.js";
import { listRuns, readRun } from "../../src/store/runs.js";
import { listWorkers } from "../../src/store/workers.js";
import { buttonEnvironment, buttonRunbooks } from "../support/button-process.js";
import { withDatabase } from "../support/database.js";
import { lendToFile } from "../support/lend.js";
import { makeNotice } from "../support/make-notice.js";
import { makePolicy } from "../support/make-policy.js";
import { queueRun } from "../support/runbook-world.js";
import { isAlive, type ReadyService, startService, stopService } from "../support/service.js";
import { withHome } from "../support/service-home.js";
import { until } from "../support/until.js";

const SLACK_TOKEN = "xoxb-flow-test-token";
const SIGNING_SECRET = "flow-test-signing-secret";
const ROUTING_KEY = "f".repeat(32);
const PAGERDUTY_TOKEN = "flow-test-pagerduty-token";

interface World {
  readonly db: Database;
  readonly slack: StandInSlack;
  readonly pagerduty: StandInPagerDuty;
  /** How often Slack was asked for something. */
  readonly slackCalls: () => number;
  /** Slack does not answer the next one who asks. */
  readonly silenceSlack: () => void;
  readonly service: () => ReadyService;
  readonly restart: () => Promise<void>;
}

/** The program, with stand-ins where the network begins. */
async function withWorld(test: (world: World) => Promise<void>): Promise<void> {
  const slack = await startStandInSlack({ token: SLACK_TOKEN });
  const pagerduty = await startStandInPagerDuty({
    routingKey: ROUTING_KEY,
    token: PAGERDUTY_TOKEN,
  });
  const door = await startDoor(slack.url);
  const env = {
    SLACK_API_URL: door.url,
    SLACK_BOT_TOKEN: SLACK_TOKEN,
    SLACK_SIGNING_SECRET: SIGNING_SECRET,
    PAGERDUTY_API_URL: pagerduty.url,
    PAGERDUTY_EVENTS_URL: pagerduty.url,
    PAGERDUTY_ROUTING_KEY: ROUTING_KEY,
    PAGERDUTY_TOKEN,
  };
  try {
    await withHome((home) =>
      withDatabase(async (db, databaseUrl) => {
        const start = () => startService({ home, databaseUrl, env });
        let service = await start();
        try {
          await test({
            ...{ db, slack, pagerduty, slackCalls: door.calls, silenceSlack: door.silence },
            service: () => service,
            restart: async () => {
              service = await start();
            },
          });
        } finally {
          await stopService(service);
        }
      }),
    );
  } finally {
    await Promise.all([door.close(), slack.close(), pagerduty.close()]);
  }
}

/** Passes on to Slack, counts, and keeps silent when told to. */
async function startDoor(slackUrl: string) {
  let calls = 0;
  let isSilent = false;
  const loopback = await startLoopback(async ({ path, headers, body }) => {
    calls += 1;
    if (isSilent) {
      isSilent = false;
      await new Promise(() => {});
    }
    const { authorization = "", "content-type": type = "" } = headers;
    const reply = await fetch(new URL(path, slackUrl), {
      ...{ method: "POST", headers: { authorization, "content-type": type }, body },
    });
    return { status: reply.status, body: await reply.json() };
  });
  return {
    ...{ url: `${loopback.url}/api/`, calls: () => calls, close: loopback.close },
    silence: () => {
      isSilent = true;
    },
  };
}

function notify(db: Database, notice: Parameters<typeof makeNotice>[0]): Promise<number> {
  return db.transaction((tx) => enqueueNotice(tx, makeNotice(notice)));
}

/** The process that holds the job of this kind is killed. */
async function killHolder(db: Database, kind: string): Promise<void> {
  const pid = await until(async () => {
    const { rows } = await db.query<{ pid: number }>(
      `SELECT w.pid FROM workers w JOIN jobs j ON j.worker_id = w.id
       WHERE j.job_type = $1 AND j.status = 'running'`,
      [kind],
    );
    return rows[0]?.pid;
  }, `a ${kind} job is taken`);
  process.kill(pid, "SIGKILL");
}

/** Whatever it is doing. */
async function killInternal(db: Database): Promise<void> {
  const alive = (await listWorkers(db)).filter(
    ({ id, pid }) => id.startsWith("internal") && isAlive(pid!),
  );
  process.kill(alive[0]!.pid!, "SIGKILL");
}

async function audited(db: Database, ...actions: readonly string[]): Promise<number> {
  const { rowCount } = await db.query("SELECT FROM audit_log WHERE action = ANY ($1)", [actions]);
  return rowCount;
}

function sent(db: Database, id: number) {
  return until(async () => {
    const notice = await readNotice(db, id);
    return notice?.status === "sent" && notice;
  }, "the notice is sent");
}

function command(text: string, triggerId: string): SignedRequest {
  // An operator of policies/access.yaml.
  const who = { teamId: "T00000000", userId: "U00000002", channelId: "C1" };
  return slackCommandRequest({ ...who, text, triggerId }, SIGNING_SECRET, systemClock.now());
}

async function post({ service }: World, { path, headers, body }: SignedRequest) {
  const answer = await fetch(`${service().url}${path}`, { method: "POST", headers, body });
  return [answer.status, await answer.text()] as const;
}

describe("the program with the people it speaks to", () => {
  const world = lendToFile(withWorld);

  it("delivers a notice by another worker, when one is killed while the receiver keeps silent", async () => {
    const { db, slack, slackCalls, silenceSlack } = world();
    silenceSlack();
    const id = await notify(db, { receiver: "ops" });
    await until(() => slackCalls() === 1, "the receiver is asked");
    await killHolder(db, "notice");
    await sent(db, id);
    // Asked, asked whether it took the first one, and asked again.
    expect([slackCalls(), slack.messages.length]).toEqual([3, 1]);
  });

  it("sends a notice again whose worker was killed after it went out but before that was known, and it stays one incident", async () => {
    const { db, pagerduty } = world();
    pagerduty.misbehave({ kind: "drop-answer" });
    const id = await notify(db, { receiver: "pagerduty", severity: "sev1" });
    await until(() => pagerduty.events.length === 1, "it went out");
    await killInternal(db);
    await sent(db, id);
    expect(pagerduty.events.length).toBeGreaterThanOrEqual(2);
    expect(pagerduty.incidents()).toHaveLength(1);
  });

  it("goes on with a command where it was when the process that carries it out is killed", async () => {
    const { db } = world();
    await post(world(), command("pause-queue export 5m", "trigger-2"));
    // The pause is done; that nothing starts any more is watched for seconds.
    const run = await until(async () => {
      const [asked] = await listRuns(db, 1);
      const steps = asked ? await readSteps(db, asked.seq) : [];
      return steps.some(({ phase }) => phase === "verify") && asked;
    }, "the run verifies");
    await killHolder(db, "runbook");
    const ended = await until(async () => {
      const seen = await readRun(db, run.id);
      return seen?.endedAt && seen;
    }, "the run has ended");
    expect(ended.status).toBe("succeeded");
    expect(await audited(db, "queue.paused")).toBe(1);
  });

  it("carries out a command once that Slack was told is being worked on, though it is killed that moment and Slack sends it again", async () => {
    const { db, service, restart, slack } = world();
    const before = await listRuns(db, 10);
    const told = slack.messages.length;
    const auditedBefore = await audited(db, "run.requested", "queue.paused");
    const asked = command("pause-queue audit 5m", "trigger-1");
    const [status, answer] = await post(world(), asked);
    service().kill("SIGKILL");
    expect([status, answer]).toEqual([200, expect.stringContaining("Working on it")]);
    await service().allGone;
    await restart();
    const again = await post(world(), command("pause-queue audit 5m", "trigger-1"));
    expect(again).toEqual([200, expect.stringContaining("Already here")]);

    const ended = await until(async () => {
      const runs = (await listRuns(db, 10)).filter((it) => before.every(({ id }) => id !== it.id));
      return runs.every(({ endedAt }) => endedAt !== null) && runs.length > 0 && runs;
    }, "its run has ended");
    expect(ended.map((run) => [run.runbook, run.status])).toEqual([["pause-queue", "succeeded"]]);
    expect(await audited(db, "run.requested", "queue.paused")).toBe(auditedBefore + 2);
    await until(() => slack.messages.length > told, "people are told");
    // The whole program starts again within it.
  }, 60_000);
});

const EXECUTOR = fileURLToPath(new URL("../support/button-process.ts", import.meta.url));

function startExecutor(url: string, file: string): ChildProcess {
  return spawn(process.execPath, ["--import", "tsx", EXECUTOR], {
    env: buttonEnvironment(url, file),
    stdio: ["ignore", "ignore", "inherit"],
  });
}

async function end(executor: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const exited = once(executor, "exit");
  executor.kill(signal);
  await exited;
}

/** Runs the runbook, kills its executor after the first press, and lets another one go on. */
async function pressAndKill(db: Database, url: string, home: string, runbook: string) {
  const file = join(home, "presses");
  const presses = () => (existsSync(file) ? readFileSync(file, "utf8").split("\n").length - 1 : 0);
  const first = startExecutor(url, file);
  const id = await queueRun(db, buttonRunbooks(), runbook);
  await until(() => presses() === 1, "the button is pressed");
  await end(first, "SIGKILL");
  const [dead] = await listWorkers(db);
  await recoverWorker(dead!.id, {
    ...{ db, clock: systemClock, log: silentLogger, policy: () => makePolicy() },
    ...{ random: Math.random, emit: () => {}, notify: async () => {} },
  });
  const second = startExecutor(url, file);
  try {
    const run = await until(async () => {
      const seen = await readRun(db, id);
      return seen?.endedAt && seen;
    }, "the run has ended");
    return { run, steps: await readSteps(db, run.seq), presses: presses() };
  } finally {
    await end(second, "SIGTERM");
  }
}

describe("a run whose executor is killed between an act and its record", () => {
  it("is stalled and the act not repeated, when the step must never be", () =>
    withHome((home) =>
      withDatabase(async (db, url) => {
        const { run, steps, presses } = await pressAndKill(db, url, home, "press-once");
        expect(presses).toBe(1);
        expect(run).toMatchObject({
          status: "stalled",
          outcome: expect.stringContaining("look before you repeat it"),
        });
        expect(steps.at(-1)).toMatchObject({ phase: "act", status: "indeterminate" });
      }),
    ));

  it("acts again and succeeds, when the step may be repeated", () =>
    withHome((home) =>
      withDatabase(async (db, url) => {
        const { run, presses } = await pressAndKill(db, url, home, "press-again");
        expect([run.status, presses]).toEqual(["succeeded", 2]);
      }),
    ));
});
