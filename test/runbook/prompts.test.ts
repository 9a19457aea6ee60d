/** What is asked for, what may come next on a line, and the line to copy: of made-up runbooks and of every real one. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loadRunbooks } from "../../src/main/runbooks.js";
import { readArguments } from "../../src/runbook/arguments.js";
import { completeRunbook, formWanted } from "../../src/runbook/completion.js";
import { DurationText, defineRunbook, JobId, Type } from "../../src/runbook/define.js";
import { describePrompt, neededOf, promptsOf } from "../../src/runbook/prompts.js";
import { readyLine } from "../../src/runbook/ready-line.js";
import { RunbookRegistry } from "../../src/runbook/registry.js";
import { checkRequest } from "../../src/runbook/request.js";

const runbook = defineRunbook({
  name: "water-plants",
  aliases: ["water"],
  title: "Waters the plants",
  danger: "V",
  params: Type.Object(
    {
      job: JobId,
      room: Type.String({ enum: ["hall", "kitchen"], description: "where" }),
      for: Type.Unsafe<string>({ ...DurationText, default: "10m" }),
      litres: Type.Optional(Type.Integer({ minimum: 1, maximum: 9 })),
      warm: Type.Boolean({ default: false, description: "true for tropical ones" }),
      side: Type.Union([Type.Literal("left"), Type.Literal("right")]),
      tint: Type.Optional(Type.String({ maxLength: 20 })),
      note: Type.Optional(Type.String({ minLength: 3, maxLength: 20 })),
    },
    { additionalProperties: false },
  ),
  positional: ["room", "for"],
  timeoutMs: 1_000,
  plan: async () => ({ text: "", changes: [] }),
  steps: [],
});
const registry = new RunbookRegistry([{ runbook, contentHash: "abc" }]);
const real = await loadRunbooks();

describe("what is asked for", () => {
  test.each<[string, object]>([
    ["job", { form: "job", type: "a job id such as job-123", isNeeded: true }],
    ["room", { form: "choice", choices: ["hall", "kitchen"], isNeeded: true, preset: null }],
    ["for", { form: "duration", preset: "10m", isNeeded: false }],
    ["litres", { form: "number", type: "a whole number from 1 to 9", isNeeded: false }],
    ["warm", { form: "truth", choices: ["true", "false"], preset: false, isNeeded: false }],
    ["side", { form: "choice", type: "one of left, right", isNeeded: true }],
    ["tint", { form: "text", type: "up to 20 characters", isNeeded: false }],
    ["note", { form: "text", type: "3 to 20 characters" }],
  ])("%s", (name, expected) => {
    expect(promptsOf(runbook).find((prompt) => prompt.name === name)).toMatchObject(expected);
  });

  test("what was given is not asked for again", () => {
    expect(neededOf(runbook).map(({ name }) => name)).toEqual(["job", "room", "side"]);
    expect(neededOf(runbook, { room: "hall" }).map(({ name }) => name)).toEqual(["job", "side"]);
  });

  test("in words: its own, with the choices where those do not say them", () => {
    const words = promptsOf(runbook).map(describePrompt);
    expect(words).toContain("where; one of hall, kitchen");
    expect(words).toContain("true for tropical ones");
    expect(words).toContain("a whole number from 1 to 9");
  });

  test.each([
    ["pass", Type.String({ format: "password" })],
    ["pin", Type.String({ writeOnly: true })],
    ["api_token", Type.String()],
    ["clientSecret", Type.String()],
  ])("%s is a secret", (name, schema) => {
    const params = Type.Object({ [name]: schema });
    const asking = { ...runbook, params };
    expect(promptsOf(asking)[0]?.isSecret).toBe(true);
  });

  test("no runbook has a parameter that is a secret: it would stand in the record of the run", () => {
    const prompts = real.list().flatMap((entry) => promptsOf(entry.runbook));
    expect(prompts.length).toBeGreaterThan(30);
    expect(prompts.filter(({ isSecret }) => isSecret)).toEqual([]);
  });

  test("every parameter of every runbook says what it expects", () => {
    for (const entry of real.list())
      for (const prompt of promptsOf(entry.runbook))
        expect(prompt.description, `${entry.runbook.name} ${prompt.name}`).not.toBe("");
  });
});

describe("what may come next", () => {
  const next = (...words: string[]) => completeRunbook(registry, words).map(({ text }) => text);

  test.each<[string[], string[]]>([
    [[""], ["water-plants", "water"]],
    [["wat"], ["water-plants", "water"]],
    [["water-"], ["water-plants"]],
    [["x"], []],
    [["nothing", ""], []],
    [["water", "k"], ["kitchen"]],
    [["water", "room=k"], ["room=kitchen"]],
    [["water", "--room=k"], ["--room=kitchen"]],
    [["water", "--room", "k"], ["kitchen"]],
    [
      ["water", "--room", ""],
      ["hall", "kitchen"],
    ],
    [
      ["water", "hall", "3"],
      ["3s", "3m", "3h", "3d"],
    ],
    [
      ["water", "hall", "1"],
      ["1s", "1m", "1h", "1d"],
    ],
    [
      ["water", "--for", ""],
      ["10m", "30m", "1h", "4h", "24h"],
    ],
    [
      ["water", "--litres", ""],
      ["1", "9"],
    ],
    [
      ["water", "--warm", ""],
      ["false", "true"],
    ],
    [["water", "--side", "r"], ["right"]],
    [["water", "--w"], ["--warm"]],
    [
      ["water", "--r"],
      ["--room", "--reason"],
    ],
    [["water", "hall", "--r"], ["--reason"]],
    [["water", "room=hall", "--room=k"], []],
    [
      ["water", "--d"],
      ["--dry-run", "--drill"],
    ],
    [["water", "--dry-run", "--d"], ["--drill"]],
    // Free text is the person's own.
    [["water", "--reason", ""], []],
    [["water", "--tint", ""], []],
    [["water", "hall", "1h", "and"], []],
  ])("%j: %j", (words, candidates) => {
    expect(next(...words)).toEqual(candidates);
  });

  test("jobs are those that are handed in, and asked for only where one is meant", () => {
    const jobs = [
      { text: "job-7", description: "index, failed" },
      { text: "job-12", description: "score, failed" },
    ];
    const words = ["water", "--job", "job-1"];
    expect(completeRunbook(registry, words, { jobs })).toEqual([jobs[1]]);
    expect(formWanted(registry, words)).toBe("job");
    expect(formWanted(registry, ["water", "job="])).toBe("job");
    expect(formWanted(registry, ["water", ""])).toBe("choice");
    expect(formWanted(registry, ["water", "--"])).toBe(null);
    expect(formWanted(registry, ["wat"])).toBe(null);
  });

  test("a value that would be refused is not offered", () => {
    const jobs = [{ text: "job-0", description: "no such id" }];
    expect(completeRunbook(registry, ["water", "--job", ""], { jobs })).toEqual([]);
  });
});

/** Of the line so far; a value that is still owed does not count. */
function problemsOf(name: string, words: readonly string[]): string[] {
  const entry = real.find(name)!;
  const read = readArguments(entry.runbook, words);
  if (!read.ok) return [...read.problems];
  const checked = checkRequest(real, { runbook: name, ...read.value });
  return checked.ok ? [] : [...checked.problems];
}

const JOBS = [{ text: "job-41", description: "index, failed" }];
const NAMES = real.list().map((entry) => entry.runbook.name);

/** Where nothing can be offered, since only the person knows it. */
const OWN_WORDS: Readonly<Record<string, string>> = {
  reason: "it was looked at",
  dependency: "slack",
  patch: '{"path":"/srv/a"}',
  pid: "4711",
  only: "database",
  table: "public.jobs",
  backup: "2026-01-28",
  from: "3",
  threshold: "50",
  title: "checkout is down",
  number: "INC-2026-11-22-001",
  ...{ symptoms: "no orders", cause: "a full disk", resolution: "space", prevention: "an alert" },
  ...{ env: "staging", tag: "0123456789abcdef".repeat(3).slice(0, 40), folder: "/srv/checkout" },
  ...{ service: "api", services: "workers,api", revision: "3", count: "12", errors: "20" },
  ...{ entity: "scores", start: "2026-01-01", end: "2026-01-31", repo: "acme/shop" },
  ...{ target: "p1", ids: "p2,p3", org: "acme" },
  ...{ keepDays: "7", query: "errors", request: "req-1", rows: "50" },
};

describe("of every runbook", () => {
  test("what is offered is never worse than the line was, and a line that is filled in so is taken", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...NAMES),
        fc.array(fc.nat(), { minLength: 1, maxLength: 12 }),
        (name, choices) => {
          const line: string[] = [];
          let before = problemsOf(name, line);
          for (const choice of choices) {
            const offered = completeRunbook(real, [name, ...line, ""], { jobs: JOBS });
            if (offered.length === 0) break;
            const { text } = offered[choice % offered.length]!;
            line.push(text);
            if (text.startsWith("--") && text !== "--dry-run" && text !== "--drill")
              line.push(valueFor(name, [...line], choice));
            const after = problemsOf(name, line);
            expect(before, `${name} ${line.join(" ")}`).toEqual(expect.arrayContaining(after));
            before = after;
          }
          const filled = fillIn(name, line);
          expect(problemsOf(name, filled), `${name} ${filled.join(" ")}`).toEqual([]);
        },
      ),
      { numRuns: 300 },
    );
  });

  test.each(NAMES)(
    "%s: a line to copy says what is open, and runs nothing before it is filled in",
    (name) => {
      const { runbook: one } = real.find(name)!;
      const nothing = { params: {}, dryRun: false, drill: false, reason: undefined };
      const { words, isWhole } = readyLine(one, nothing);
      expect(isWhole).toBe(neededOf(one).length === 0);
      expect(problemsOf(name, words.slice(1))).toHaveLength(neededOf(one).length);
    },
  );

  test("a line to copy is read as what was right of the line that was typed", () => {
    const typed = fc.dictionary(
      fc.constantFrom(
        ...real.list().flatMap((entry) => Object.keys(entry.runbook.params.properties)),
      ),
      fc.oneof(
        fc.constantFrom("", "index", "job-1", "10m", "5", "true", "a=b", "--x", "it is so"),
        fc.string(),
      ),
    );
    fc.assert(
      fc.property(fc.constantFrom(...NAMES), typed, fc.boolean(), (name, given, dryRun) => {
        const { runbook: one } = real.find(name)!;
        const own = Object.entries(given).filter(([it]) => it in one.params.properties);
        const params = Object.fromEntries(own);
        const ready = readyLine(one, { params, dryRun, drill: false, reason: params.reason });
        const read = readArguments(one, ready.words.slice(1));
        expect(read).toMatchObject({ ok: true, value: { dryRun } });
        const problems = problemsOf(name, ready.words.slice(1));
        expect(problems.length === 0, ready.words.join(" ")).toBe(ready.isWhole);
      }),
      { numRuns: 500 },
    );
  });
});

function valueFor(name: string, line: readonly string[], choice: number): string {
  const offered = completeRunbook(real, [name, ...line, ""], { jobs: JOBS });
  if (offered.length > 0) return offered[choice % offered.length]!.text;
  return OWN_WORDS[line.at(-1)!.slice(2)]!;
}

function missingFrom(name: string, line: readonly string[]): string[] {
  const { runbook: one } = real.find(name)!;
  const read = readArguments(one, line);
  return neededOf(one, read.ok ? read.value.params : {}).map((prompt) => prompt.name);
}

function fillIn(name: string, line: readonly string[]): string[] {
  const words = [...line];
  for (const missing of missingFrom(name, line)) {
    words.push(`--${missing}`);
    words.push(valueFor(name, words, 0));
  }
  return words;
}
