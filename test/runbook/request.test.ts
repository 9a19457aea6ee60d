import { expect, test } from "vitest";
import { readArguments } from "../../src/runbook/arguments.js";
import { defineRunbook, JobId, Type } from "../../src/runbook/define.js";
import { RunbookRegistry } from "../../src/runbook/registry.js";
import { checkRequest } from "../../src/runbook/request.js";

const runbook = defineRunbook({
  name: "rerun-job",
  aliases: ["rerun"],
  title: "for this test",
  danger: "V",
  params: Type.Object(
    {
      job: JobId,
      reason: Type.String({ default: "none given", description: "why" }),
      force: Type.Boolean({ default: false, description: "true or false" }),
      kind: Type.Optional(Type.String({ enum: ["index", "identity"] })),
      per_minute: Type.Optional(Type.Integer({ minimum: 1 })),
      times: Type.Optional(Type.Integer({ minimum: 1, description: "a number from 1" })),
    },
    { additionalProperties: false },
  ),
  positional: ["job", "reason"],
  timeoutMs: 1_000,
  plan: async () => ({ text: "", changes: [] }),
  steps: [],
});
const registry = new RunbookRegistry([{ runbook, contentHash: "abc" }]);

test.each<[string, string[], object]>([
  ["a job alone", ["job-7"], { params: { job: "job-7" }, dryRun: false }],
  [
    "the rest of the line as the last parameter",
    ["job-7", "it", "was", "the", "network"],
    { params: { job: "job-7", reason: "it was the network" }, dryRun: false },
  ],
  [
    "names with =",
    ["job=job-7", "force=true"],
    { params: { job: "job-7", force: "true" }, dryRun: false },
  ],
  [
    "names with dashes",
    ["job-7", "--force", "true"],
    { params: { job: "job-7", force: "true" }, dryRun: false },
  ],
  [
    "a name with an underscore, before =",
    ["job-7", "per_minute=5"],
    { params: { job: "job-7", per_minute: "5" } },
  ],
  [
    "a name with an underscore, with dashes and =",
    ["--per_minute=5", "job-7"],
    { params: { job: "job-7", per_minute: "5" } },
  ],
  ["a dry run", ["job-7", "--dry-run"], { params: { job: "job-7" }, dryRun: true }],
  [
    "an equals sign in the reason",
    ["job-7", "see", "build=41"],
    { params: { job: "job-7", reason: "see build=41" }, dryRun: false },
  ],
])("words are read: %s", (_what, words, value) => {
  expect(readArguments(runbook, words)).toMatchObject({ ok: true, value });
});

test.each<[string, string[], RegExp]>([
  [
    "a parameter that it has not",
    ["--forse", "true"],
    /no parameter "forse", did you mean "force"\?/,
  ],
  ["a name without a value", ["job-7", "--reason"], /--reason needs a value/],
  ["a parameter given twice", ["job=job-7", "job=job-8"], /"job" is given twice/],
  ["more than it takes", ["job=job-7", "reason=x", "more"], /found "more" where nothing more/],
])("words are refused with what to do: %s", (_what, words, problem) => {
  const read = readArguments(runbook, words);
  expect(read.ok).toBe(false);
  expect(read.ok ? "" : read.problems.join("\n")).toMatch(problem);
});

test("text becomes what the schema wants, and defaults are filled in", () => {
  const checked = checkRequest(registry, {
    runbook: "rerun",
    params: { job: "job-7", force: "true", times: "3" },
  });
  expect(checked).toMatchObject({
    ok: true,
    params: { job: "job-7", reason: "none given", force: true, times: 3 },
  });
});

test.each<[string, string, Record<string, unknown>, RegExp]>([
  ["an unknown runbook", "rerun-jib", {}, /no runbook "rerun-jib", did you mean "rerun-job"/],
  ["a runbook like no other", "zzzzzz", {}, /^there is no runbook "zzzzzz"$/],
  ["a missing parameter", "rerun-job", {}, /needs "job": a job id such as job-123/],
  ["a value of the wrong form", "rerun-job", { job: "7x" }, /"job": found "7x", expected a job id/],
  [
    "an unknown parameter",
    "rerun-job",
    { job: "job-7", resaon: "x" },
    /no parameter "resaon", did you mean "reason"/,
  ],
  [
    "an unknown choice",
    "rerun-job",
    { job: "job-7", kind: "indx" },
    /"kind": found "indx", did you mean "index"/,
  ],
  [
    "a number that is none",
    "rerun-job",
    { job: "job-7", times: "many" },
    /"times": found "many", expected a number from 1/,
  ],
])("a request with %s is refused in one clear sentence", (_what, name, params, problem) => {
  const checked = checkRequest(registry, { runbook: name, params });
  expect(checked.ok).toBe(false);
  expect(checked.ok ? "" : checked.problems.join("\n")).toMatch(problem);
});

test("all problems are told at once", () => {
  const checked = checkRequest(registry, {
    runbook: "rerun-job",
    params: { force: "perhaps", times: 0 },
  });
  expect(checked.ok ? [] : checked.problems).toHaveLength(3);
});

test("two runbooks with one name are refused", () => {
  expect(
    () =>
      new RunbookRegistry([
        { runbook, contentHash: "a" },
        { runbook, contentHash: "b" },
      ]),
  ).toThrow(/"rerun-job" names two runbooks/);
});
