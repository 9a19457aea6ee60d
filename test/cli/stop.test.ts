/** The switch from a terminal: with a database, and with none that answers. */
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { runCommand } from "../../src/cli/command.js";
import { locksVerb, resumeVerb, stopVerb } from "../../src/cli/stop.js";
import { startRun } from "../../src/store/run-leases.js";
import { clearStopRow, readStopRow } from "../../src/store/stop-switch.js";
import { takeTargetLocks } from "../../src/store/target-locks.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makeRegistry, makeRunbook, queueRun } from "../support/runbook-world.js";

/** Nothing listens there. */
const GONE = "postgres://nobody@127.0.0.1:9/none";

let lent: TestDatabase;
let home: string;
beforeAll(async () => {
  lent = await createTestDatabase();
});
afterAll(() => lent.drop());
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "cli-stop-"));
});
afterEach(async () => {
  await clearStopRow(lent.db, { by: "test", reason: "over" });
  await rm(home, { recursive: true });
});

const VERBS = { stop: stopVerb, resume: resumeVerb, locks: locksVerb };

async function call(verb: keyof typeof VERBS, args: readonly string[], url = lent.url) {
  const said: string[] = [];
  const say = (line: string) => said.push(line);
  const io = {
    ...{
      out: say,
      err: say,
      progress: say,
      packageRoot: home,
      cwd: home,
      actor: "cli:ann",
      terminal: null,
    },
    env: { ALGOBRAIN_HOME: home, DATABASE_URL: url },
  };
  const command = { name: "runbook", forms: [VERBS[verb]], run: VERBS[verb].run };
  return { code: await runCommand(command, args, io), said: said.join("\n") };
}
const file = () => join(home, "STOP");

test("a stop reaches the file and the row, and a resume takes both back", async () => {
  const stopped = await call("stop", ["--reason", "storm"]);
  expect(stopped).toMatchObject({
    code: 0,
    said: expect.stringContaining("stopped on all machines"),
  });
  expect(JSON.parse(readFileSync(file(), "utf8"))).toMatchObject({
    by: "cli:ann",
    reason: "storm",
  });
  expect(await readStopRow(lent.db)).toMatchObject({
    active: true,
    by: "cli:ann",
    reason: "storm",
  });
  expect(await call("resume", ["--reason", "found it"])).toEqual({
    code: 0,
    said: "runbooks may run again",
  });
  expect(existsSync(file())).toBe(false);
  expect((await readStopRow(lent.db)).active).toBe(false);
});

test("with the database gone it stops this machine, and says that others do not know it", async () => {
  const { code, said } = await call("stop", [], GONE);
  expect(code).toBe(0);
  expect(said).toContain(`stopped on this machine: ${file()}`);
  expect(said).toContain("other machines do not know it yet");
  expect(JSON.parse(readFileSync(file(), "utf8"))).toMatchObject({ reason: "no reason given" });
});

test("with the database gone nothing goes on, because the stop may stand in it", async () => {
  await call("stop", [], GONE);
  const { code, said } = await call("resume", ["--reason", "found it"], GONE);
  expect(code).toBe(1);
  expect(said).toContain("nothing goes on");
  expect(existsSync(file())).toBe(true);
});

test("whoever lets it go on says why", async () => {
  expect(await call("resume", [])).toMatchObject({
    code: 2,
    said: expect.stringContaining("--reason is missing"),
  });
});

test("locks are shown with their holder and their time", async () => {
  expect((await call("locks", [])).said).toBe("nothing is held");
  const registry = makeRegistry(makeRunbook("fix"));
  const run = (await startRun(lent.db, await queueRun(lent.db, registry, "fix")))!;
  await lent.db.transaction((tx) => takeTargetLocks(tx, run.seq, ["queue-index"]));
  const { said } = await call("locks", []);
  expect(said).toMatch(new RegExp(`^queue-index +${run.id} +fix +ann +\\d+s? +\\d+s$`, "m"));
  const { locks } = JSON.parse((await call("locks", ["--json"])).said);
  expect(locks).toMatchObject([{ target: "queue-index", run: run.id, actor: "ann" }]);
});
