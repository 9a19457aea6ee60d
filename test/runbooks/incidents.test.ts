/** Incidents opened and closed by runbooks, with the power that their files declare and no other. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import type { JsonObject } from "../../src/base/json.js";
import { silentLogger } from "../../src/base/log.js";
import { loadRunbooks } from "../../src/main/runbooks.js";
import { createSystemWays } from "../../src/main/system-ways.js";
import { readConfig } from "../../src/runtime/config.js";
import type { Database } from "../../src/store/database.js";
import { createDatabaseReader, createDatabaseWriter } from "../../src/store/database-care.js";
import { listIncidents, readIncident } from "../../src/store/incidents.js";
import { createSystemReader, createSystemWriter } from "../../src/store/system-care.js";
import { makePolicy } from "../support/make-policy.js";
import {
  crashEverywhere,
  openGround,
  type RunbookGround,
  rehearse,
  takeBack,
} from "../support/runbook.js";
import { makeShell } from "../support/runbook-world.js";

let ground: RunbookGround;
let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "algobrain-incidents-"));
  ground = await openGround(await loadRunbooks());
});
afterAll(async () => {
  await ground.drop();
  await rm(home, { recursive: true });
});
beforeEach(() => ground.db.query("TRUNCATE control.incident, control.incident_day CASCADE"));

function other() {
  const read = readConfig({ ALGOBRAIN_HOME: home });
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  const policy = () => makePolicy();
  const ways = createSystemWays({
    ...{ config: read.value, policy, log: silentLogger, clock: systemClock },
    redact: (text) => text,
    emit: () => {},
    notify: async () => {},
  });
  const options = {
    ...{ backupsDir: home, directUrl: "", ssl: false, environment: "test", shell: makeShell() },
    ...{ poolSize: () => 10, now: () => systemClock.now() },
  };
  return {
    care: (sql: Database, actor: string) => ({
      database: { ...createDatabaseReader(sql, options), ...createDatabaseWriter(sql, options) },
      system: { ...createSystemReader(sql, ways), ...createSystemWriter(sql, actor, ways) },
    }),
  };
}

const run = (name: string, params: JsonObject, more: { dryRun?: boolean } = {}) =>
  rehearse(ground, name, { params, ...more, other: other() });

const OPENING = { severity: "sev1", title: "checkout is down", since: "10m" };
const FOUND = {
  ...{ symptoms: "no orders", cause: "a full disk", resolution: "space", prevention: "an alert" },
};

async function openOne(): Promise<string> {
  expect((await run("incident-open", OPENING)).run).toMatchObject({ status: "succeeded" });
  return (await listIncidents(ground.db, { limit: 1 }))[0]!.number;
}

describe("incident-open", () => {
  test("gives a number, its times and who opened it; a dry run opens none", async () => {
    const dry = await run("incident-open", OPENING, { dryRun: true });
    expect([dry.run.status, dry.changed]).toEqual(["succeeded", []]);
    const { run: ended, changed } = await run("incident-open", OPENING);
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    expect(changed).toEqual(["control.incident", "control.incident_day"]);
    const [incident] = await listIncidents(ground.db, { limit: 10 });
    expect(incident).toMatchObject({ status: "open", severity: "sev1", openedBy: "ann" });
    expect(incident!.number).toMatch(/^INC-\d{4}-\d\d-\d\d-001$/);
    const { openedAt, startedAt } = incident!;
    // The runbook's clock runs ahead of the database's here: its waits pass faster than people's time.
    const minutes = (openedAt.getTime() - startedAt.getTime()) / 60_000;
    expect(minutes).toBeGreaterThan(5);
    expect(minutes).toBeLessThanOrEqual(10);
  });

  test("whenever the executor dies, one incident is open", async () => {
    const scene = async () => {
      const before = (await listIncidents(ground.db, { limit: 200 })).length;
      const effects = async () => (await listIncidents(ground.db, { limit: 200 })).length - before;
      return { params: OPENING, other: other(), effects };
    };
    await crashEverywhere(ground, "incident-open", scene);
  });

  test("taken back, it is closed as opened by mistake", async () => {
    const { run: opened } = await run("incident-open", OPENING);
    const back = await takeBack(ground, opened, { other: other() });
    expect(back.run).toMatchObject({ status: "succeeded" });
    const [incident] = await listIncidents(ground.db, { limit: 1 });
    expect(incident).toMatchObject({ status: "closed" });
    expect(incident!.findings?.symptoms).toContain("Opened by mistake");
  });
});

describe("incident-close", () => {
  test("keeps what was found, computes how long it lasted, files the log, asks for a review", async () => {
    const number = await openOne();
    const { run: ended, steps } = await run("incident-close", { number, ...FOUND, ago: "5m" });
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    expect(steps.at(-1)?.output).toMatch(/it lasted [3-9]m\w*; its review is due by /);
    expect(await readIncident(ground.db, number)).toMatchObject({
      ...{ status: "closed", closedBy: "ann", findings: { rootCause: "a full disk" } },
    });
    const log = await readFile(join(home, "incidents", `${number}.md`), "utf8");
    expect(log).toContain("## Root cause\n\na full disk\n");
  });

  test("refuses a number that there is not, a closed one, and an end before the beginning", async () => {
    const outcome = async (params: JsonObject) => (await run("incident-close", params)).run.outcome;
    const number = await openOne();
    expect(await outcome({ number: "INC-2020-01-01-001", ...FOUND })).toContain("there is no");
    expect(await outcome({ number, ...FOUND, ago: "20m" })).toContain("began at");
    expect((await run("incident-close", { number, ...FOUND })).run.status).toBe("succeeded");
    expect(await outcome({ number, ...FOUND })).toContain("is closed already");
  });

  test("taken back, it is open again", async () => {
    const number = await openOne();
    const { run: ended } = await run("incident-close", { number, ...FOUND });
    const back = await takeBack(ground, ended, { other: other() });
    expect(back.run).toMatchObject({ status: "succeeded" });
    expect(await readIncident(ground.db, number)).toMatchObject({ status: "open", closedAt: null });
  });
});
