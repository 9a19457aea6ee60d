/** `policy impact` as people call it: over the samples of a database, and handed on to the comment of a pull request. */
import { cp, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { insertSamples } from "../../src/store/samples.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { cli, ROOT } from "./support.js";

const MINUTE = 60_000;
const HOURS = 12;

let database: TestDatabase;
let work: string;
beforeAll(async () => {
  database = await createTestDatabase();
  work = await realpath(await mkdtemp(join(tmpdir(), "algobrain-impact-")));
  await cp(join(ROOT, "policies"), join(work, "policies"), { recursive: true });
  await cp(join(ROOT, "runbooks", "catalogue.yaml"), join(work, "runbooks", "catalogue.yaml"));
  await edit("algobrain/alerts/api.yaml", "value: 1000", "value: 800");
  // Half a day, of which 20 minutes are too slow for the new line, and not for the old one.
  const now = Date.now() - (Date.now() % MINUTE);
  const samples = Array.from({ length: HOURS * 60 }, (_, ago) => ({
    metric: "algobrain.api.latency_p95_ms",
    labels: {},
    at: new Date(now - ago * MINUTE),
    value: ago >= 100 && ago < 120 ? 900 : 40,
  }));
  await insertSamples(database.db, samples);
});
afterAll(async () => {
  await rm(work, { recursive: true, force: true });
  await database.drop();
});

async function edit(file: string, from: string, to: string): Promise<void> {
  const path = join(work, "policies", file);
  const text = await readFile(path, "utf8");
  expect(text).toContain(from);
  await writeFile(path, text.replace(from, to));
}

const policy = (verb: string, ...args: string[]) =>
  cli(["policy", verb, join(ROOT, "policies"), ...args], {
    cwd: work,
    env: {
      PATH: process.env.PATH!,
      DATABASE_URL: database.url,
      ALGOBRAIN_HOME: join(work, "home"),
    },
  });

describe("policy impact", () => {
  test("replays the changed rule, old and new, and only that", async () => {
    const answer = await policy("impact", "--env", "local", "--days", "1");
    expect(answer).toMatchObject({ code: 0, err: "" });
    const [verdict, ...lines] = answer.out.trimEnd().split("\n");
    expect(verdict).toBe("look  api-latency-p95-high (changed): other firings");
    // It fires all the same, but is worse than it was.
    expect(lines.slice(0, 6)).toEqual([
      ...["  firings 1", "  minutes 15", "  pages 0", "  messages 2", "  flaps 0"],
      "  coverage 50 %",
    ]);
    expect(lines.slice(6).map((line) => line.replace(/ at .*/, ""))).toEqual([
      "  no more: AR-10 all",
      "  new: AR-09 all",
    ]);
  });

  test("is a section of the pull request's comment, from a file", async () => {
    await policy(
      "impact",
      "--env",
      "local",
      "--days",
      "1",
      "--format",
      "json",
      "--out",
      "impact.json",
    );
    const { code, out } = await policy("diff", "--impact", "impact.json", "--format", "markdown");
    expect(code).toBe(0);
    expect(out).toContain("#### 👀 What the changed alerts would have done");
    expect(out).toContain(
      "| 👀 | api-latency-p95-high | 1 | 15 | 0 | 2 | 0 | 50 % | other firings |",
    );
    expect(out.indexOf("would have done")).toBeLessThan(out.indexOf("| risk |"));
  });

  test("cannot tell of a month when there is half a day", async () => {
    const { code, out } = await policy("impact", "--env", "local", "--format", "markdown");
    expect(code).toBe(0);
    expect(out).toContain("**Cannot tell: there are too few samples**");
    expect(out).toContain("too few samples of algobrain.api.latency\\_p95\\_ms");
  });

  test("says that nobody can tell when the samples cannot be read, and is no failed review", async () => {
    const { code, out } = await policy("impact", "--history", "prometheus:http://127.0.0.1:9/");
    expect(code).toBe(0);
    expect(out).toMatch(/^cannot tell: /);
  });

  test.each([
    [["--history", "file:/etc"], "--history: expected db, or api:"],
    [["--history", "prometheus:http://me:secret@x/"], "--history: expected db, or api:"],
    [["--history", "api:http://127.0.0.1:9"], "--token-file is missing"],
    [["--days", "0"], '--days: found "0"'],
    [["--env", "nowhere"], "--env"],
  ])("asked with %j says what it expects", async (args, message) => {
    const { code, err } = await policy("impact", ...args);
    expect(code).toBe(2);
    expect(err).toContain(message);
    expect(err).not.toContain("secret");
  });

  test("a file that is no report is named, and nothing is compared", async () => {
    await writeFile(join(work, "other.json"), '{"verdict":"ok"}');
    for (const file of ["other.json", "missing.json"]) {
      const { code, err } = await policy("diff", "--impact", file);
      expect([code, err.includes(file)]).toEqual([1, true]);
    }
  });
});
