/** The commands of a person at a terminal beside a running service: what they do, and what they say when it does not work. */
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Database } from "../../src/store/database.js";
import { readJob } from "../../src/store/jobs.js";
import { type Answer, bin, expectAligned, ROOT } from "../cli/support.js";
import { createTestDatabase } from "../support/database.js";
import { makeRepository, withFolder } from "../support/git-repository.js";
import { lendToFile } from "../support/lend.js";
import { type ReadyService, startService, stopService } from "../support/service.js";
import { withHome } from "../support/service-home.js";
import { until } from "../support/until.js";
import { holdRepository } from "./held-repository.js";

interface Desk {
  readonly home: string;
  readonly db: Database;
  readonly service: ReadyService;
  readonly widgets: string;
  /** Types a command line; the words of the last one may hold blanks. */
  readonly type: (line: string, ...words: string[]) => Promise<Answer>;
}

/** No terminal may pause a queue here: that is what the refusal is tried on. */
async function policiesWithRefusal(folder: string): Promise<string> {
  const policies = join(folder, "policies");
  await cp(join(ROOT, "policies"), policies, { recursive: true });
  const file = join(policies, "access.yaml");
  const rule = "  - { runbook: pause-queue, role: operator, doors: [slack], approvals: 0 }\n";
  const text = await readFile(file, "utf8");
  await writeFile(file, text.replace("rules:\n", `rules:\n${rule}`));
  return policies;
}

async function withDesk(work: (desk: Desk) => Promise<void>): Promise<void> {
  const { db, url, drop } = await createTestDatabase();
  await withHome((home) =>
    withFolder(async (folder) => {
      const at = "2026-06-01T09:00:00Z";
      const widgets = await makeRepository(join(folder, "repos", "widgets"), [
        { author: "Ada <ada@example.org>", at },
      ]);
      const env = { POLICY_SOURCE: await policiesWithRefusal(folder) };
      const service = await startService({ home, databaseUrl: url, env });
      const setting = { env: { DATABASE_URL: url, ALGOBRAIN_HOME: home }, timeoutMs: 60_000 };
      const type = (line: string, ...words: string[]) =>
        bin([...line.split(" "), ...words], setting);
      try {
        await work({ db, home, service, widgets, type });
      } finally {
        await stopService(service);
      }
    }),
  );
  await drop();
}

const desk = lendToFile(withDesk);

function become(id: string, status: string): Promise<unknown> {
  const seq = Number(id.slice("job-".length));
  return until(
    async () => (await readJob(desk().db, seq))?.status === status,
    `${id} is ${status}`,
  );
}

const runs = async () => (await desk().db.query("SELECT FROM control.run")).rowCount;

describe("index and jobs", () => {
  test("a folder is indexed by the service, and the lists say so", async () => {
    const { code, out, err } = await desk().type("index", desk().widgets);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const [, id] = /^(job-\d+) will index /.exec(out)!;
    await become(id!, "completed");
    const shown = await desk().type(`jobs show ${id}`);
    expect(shown.out).toMatch(/^ {2}result {4}\{.*"found":1/m);
    expect(shown.out).toMatch(/^ {2}started {3}[-\d]+ [:\d]+ UTC/m);
    await until(
      async () => (await desk().db.query("SELECT FROM scores")).rowCount === 1,
      "the chain index, identity, score has run",
    );
    const listed = await desk().type("jobs list --status completed");
    expectAligned(listed.out);
    expect(listed.out).toMatch(/^job-\d+ +score +completed/m);
  });

  test("a token made here opens the API as far as its role goes, and one of another home does not", async () => {
    const ask = async (token: string, method: string, body?: object) => {
      const answer = await fetch(`${desk().service.url}/api/v1/jobs`, {
        method,
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        ...(body ? { body: JSON.stringify(body) } : {}),
        signal: AbortSignal.timeout(10_000),
      });
      return answer.status;
    };
    const token = async (line: string, ...words: string[]) =>
      (await desk().type(`token ${line}`, ...words)).out.trim();
    const viewer = await token("--role viewer --ttl 5m");
    expect(await ask(viewer, "GET")).toBe(200);
    expect(await ask(viewer, "POST", { job_type: "score", payload: { repo_id: "r1" } })).toBe(403);
    const admin = await token("--role admin --subject ann --reason", "a gc by hand");
    expect(await ask(admin, "POST", { job_type: "gc", payload: {} })).toBe(201);
    const env = { JWT_SECRET: "x".repeat(40) };
    const stranger = await bin(["token", "--role", "operator"], { env });
    expect(await ask(stranger.out.trim(), "GET")).toBe(401);
  });
});

describe("runbook", () => {
  test("list and show need no service", async () => {
    const list = await desk().type("runbook list");
    expectAligned(list.out.split("\n").slice(0, -2).join("\n"));
    expect(list.out).toMatch(/^rerun-job +can be undone +Runs a job again/m);
    const json = JSON.parse((await desk().type("runbook list --json")).out);
    expect(json.runbooks).toEqual(
      expect.arrayContaining([expect.objectContaining({ name: "queue-depth", danger: "R" })]),
    );
    const show = await desk().type("runbook show rerun");
    expect(show.out).toContain("call: algobrain runbook run rerun-job JOB [REASON] [--dry-run]");
    expect(JSON.parse((await desk().type("runbook show rerun --json")).out)).toMatchObject({
      name: "rerun-job",
    });
  });

  test("a run is told step by step, and its answer is a table", async () => {
    const { code, out, err } = await desk().type("runbook run queue-depth");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(
      /^run-\d+ queued\n {2}plan {4}succeeded\n {2}act {5}count the queues: succeeded\n\[ok\] run-\d+ succeeded: queue-depth\n/,
    );
    expect(out).toMatch(/^kind +pending +oldest/m);
    expect(out).toContain("asked by cli:");
  });

  test("a run that fails says why and what to type next, and exits 1", async () => {
    const added = await desk().type("jobs add score", '{"repo_id": "nobody"}');
    const id = added.out.trim();
    await become(id, "quarantined");
    const dry = await desk().type(`runbook run rerun-job ${id} --dry-run`);
    expect(dry).toMatchObject({ code: 0 });
    expect(dry.out).toContain(`would set ${id} to pending`);
    expect(dry.out).toContain("Outcome: dry run: nothing was changed");
    await become(id, "quarantined");

    const failed = await desk().type(`runbook run rerun-job ${id}`, "because of a test");
    expect(failed).toMatchObject({ code: 1, err: "" });
    expect(failed.out).toMatch(
      /^ {2}act {5}set the job to pending: succeeded\n {2}verify {2}failed/m,
    );
    expect(failed.out).toContain(`Outcome: ${id} is quarantined again: REPO_UNKNOWN`);
    expect(failed.out).toContain(`Next: algobrain runbook run inspect-job ${id}\n`);
    expect(await desk().type(`runbook run inspect-job ${id}`)).toMatchObject({ code: 0 });

    const senseless = await desk().type("runbook run rerun-job job-1");
    expect(senseless).toMatchObject({ code: 1 });
    expect(senseless.out).toContain(
      "Outcome: job-1 is completed, and only a failed, quarantined or cancelled job",
    );
  });

  test("what access.yaml does not let in from a terminal is refused, audited and not run", async () => {
    const before = await runs();
    const { code, out, err } = await desk().type("runbook run pause-queue score");
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toMatch(/^runbook: refused: .*pause-queue.*\n$/);
    expect(await runs()).toBe(before);
    const { rows } = await desk().db.query(
      "SELECT actor FROM audit_log WHERE action = 'run.refused'",
    );
    expect(rows).toMatchObject([{ actor: expect.stringMatching(/^cli:/) }]);
  });
});

describe("when it does not work", () => {
  test("a runtime that dies in the middle of a run: the person is told, and not left waiting", async () => {
    const held = holdRepository(desk().widgets, desk().home);
    try {
      const { rows } = await desk().db.query<{ id: string }>(
        "INSERT INTO jobs (job_type, payload, status) VALUES ('index', $1, 'failed') RETURNING id",
        [{ path: desk().widgets }],
      );
      const following = desk().type(`runbook run rerun-job ${rows[0]!.id}`);
      await held.entered();
      desk().service.kill("SIGKILL");
      await desk().service.allGone;
      const { code, out, err } = await following;
      expect(code).toBe(1);
      expect(out).toContain("  act     set the job to pending: succeeded\n");
      expect(err).toMatch(
        /run-\d+ is running and goes on when a worker is there: no worker process is alive: start the runtime with "npm start"\n$/,
      );
    } finally {
      held.heal();
      held.close();
    }
  }, 90_000);

  test("with no runtime alive nothing is asked for that would act hours later", async () => {
    const before = await runs();
    const answer = await desk().type("runbook run queue-depth");
    expect(answer).toEqual({
      ...{ code: 1, out: "" },
      err: 'runbook: nothing was asked for, because no worker process is alive: start the runtime with "npm start"\n',
    });
    expect(await runs()).toBe(before);
    const added = await desk().type("jobs add gc");
    expect(added.err).toContain("no worker process is alive");
  });
});
