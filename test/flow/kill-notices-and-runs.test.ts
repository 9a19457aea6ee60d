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
import { makeNotice } from "../support/make-notice.js";
import { makePolicy } from "../support/make-policy.js";
import { queueRun } from "../support/runbook-world.js";
import { type ReadyService, startService, stopService } from "../support/service.js";
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
  readonly service: () => ReadyService;
  readonly restart: () => Promise<void>;
}

/** The program, with stand-ins where the network begins. */
async function withWorld(
  test: (world: World) => Promise<void>,
  otherEnv: Readonly<Record<string, string>> = {},
): Promise<void> {
  const slack = await startStandInSlack({ token: SLACK_TOKEN });
  const pagerduty = await startStandInPagerDuty({
    routingKey: ROUTING_KEY,
    token: PAGERDUTY_TOKEN,
  });
  const env = {
    SLACK_API_URL: slack.url,
    SLACK_BOT_TOKEN: SLACK_TOKEN,
    SLACK_SIGNING_SECRET: SIGNING_SECRET,
    PAGERDUTY_API_URL: pagerduty.url,
    PAGERDUTY_EVENTS_URL: pagerduty.url,
    PAGERDUTY_ROUTING_KEY: ROUTING_KEY,
    PAGERDUTY_TOKEN,
    ...otherEnv,
  };
  try {
    await withHome((home) =>
      withDatabase(async (db, databaseUrl) => {
        const start = () => startService({ home, databaseUrl, env });
        let service = await start();
        try {
          await test({
            ...{ db, slack, pagerduty },
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
    await Promise.all([slack.close(), pagerduty.close()]);
  }
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

describe("a notice whose worker is killed", () => {
  it("while the receiver keeps silent, is delivered by another", async () => {
    let calls = 0;
    const slack = await startLoopback(async () => {
      calls += 1;
      if (calls === 1) await new Promise(() => {});
      return {
        status: 200,
        body: { ok: true, channel: "#algobrain-ops", ts: "1700000000.000100" },
      };
    });
    const test = async ({ db }: World) => {
      const id = await notify(db, { receiver: "ops" });
      await until(() => calls === 1, "the receiver is asked");
      await killHolder(db, "notice");
      await sent(db, id);
      expect(calls).toBe(2);
    };
    await withWorld(test, { SLACK_API_URL: `${slack.url}/api/` }).finally(slack.close);
  });

  it("after it went out but before that was known, goes out again and stays one incident", () =>
    withWorld(async ({ db, pagerduty }) => {
      pagerduty.misbehave({ kind: "drop-answer" });
      const id = await notify(db, { receiver: "pagerduty", severity: "sev1" });
      await until(() => pagerduty.events.length === 1, "it went out");
      const internal = (await listWorkers(db)).find(({ id: name }) => name.startsWith("internal"));
      process.kill(internal!.pid!, "SIGKILL");
      await sent(db, id);
      expect(pagerduty.events.length).toBeGreaterThanOrEqual(2);
      expect(pagerduty.incidents()).toHaveLength(1);
    }));
});

describe("a command that Slack was told is being worked on", () => {
  it("is carried out once, though the service is killed that moment and Slack sends it again", () =>
    withWorld(async (world) => {
      const { db, service, restart, slack } = world;
      const asked = command("pause-queue export 5m", "trigger-1");
      const [status, answer] = await post(world, asked);
      service().kill("SIGKILL");
      expect([status, answer]).toEqual([200, expect.stringContaining("Working on it")]);
      await service().allGone;
      await restart();
      const again = await post(world, command("pause-queue export 5m", "trigger-1"));
      expect(again).toEqual([200, expect.stringContaining("Already here")]);

      const ended = await until(async () => {
        const runs = await listRuns(db, 10);
        return runs.every(({ endedAt }) => endedAt !== null) && runs.length > 0 && runs;
      }, "its run has ended");
      expect(ended.map((run) => [run.runbook, run.status])).toEqual([["pause-queue", "succeeded"]]);
      const { rows } = await db.query<{ action: string }>(
        "SELECT action FROM audit_log WHERE action = 'run.requested' OR action = 'queue.paused'",
      );
      expect(rows.map(({ action }) => action).sort()).toEqual(["queue.paused", "run.requested"]);
      await until(() => slack.messages.length > 0, "people are told");
    }));

  it("goes on where it was when the process that carries it out is killed", () =>
    withWorld(async (world) => {
      const { db } = world;
      await post(world, command("pause-queue export 5m", "trigger-2"));
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
      const { rows } = await db.query("SELECT FROM audit_log WHERE action = 'queue.paused'");
      expect(rows).toHaveLength(1);
    }));
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
