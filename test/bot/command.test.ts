import { beforeAll, describe, expect, test } from "vitest";
import { readCommand } from "../../src/bot/command.js";
import { answerAtOnce, usageOf } from "../../src/bot/help.js";
import { splitWords } from "../../src/bot/words.js";
import { loadRunbooks } from "../../src/main/runbooks.js";
import type { RunbookRegistry } from "../../src/runbook/registry.js";

let registry: RunbookRegistry;
beforeAll(async () => {
  registry = await loadRunbooks();
});

describe("words", () => {
  test.each([
    ["  a   b ", ["a", "b"]],
    ['a "b c" d', ["a", "b c", "d"]],
    ["a 'b c'", ["a", "b c"]],
    ["a “b c”", ["a", "b c"]],
    ['a reason="b c"', ["a", "reason=b c"]],
    ["it's fine", ["it's", "fine"]],
    ['a ""', ["a", ""]],
    ["", []],
  ])("%j", (text, words) => {
    expect(splitWords(text)).toEqual({ ok: true, words });
  });

  test("a quote that is not closed is told", () => {
    expect(splitWords('a "b')).toEqual({ ok: false, problem: 'a quote is not closed: expected "' });
  });
});

describe("commands", () => {
  test.each<[string, object]>([
    ["", { kind: "help", runbook: null }],
    ["help", { kind: "help", runbook: null }],
    ["HELP", { kind: "help", runbook: null }],
    ["help rerun", { kind: "help", runbook: { name: "rerun-job" } }],
    ["rerun --help", { kind: "help", runbook: { name: "rerun-job" } }],
    [
      "rerun job-123",
      { kind: "run", runbook: "rerun-job", params: { job: "job-123" }, dryRun: false },
    ],
    ["Rerun 123", { kind: "run", runbook: "rerun-job", params: { job: "123" } }],
    [
      "rerun-job job-123 it was the network",
      { kind: "run", params: { job: "job-123", reason: "it was the network" } },
    ],
    ['rerun-job job-123 "a &amp; b &lt;c&gt;"', { kind: "run", params: { reason: "a & b <c>" } }],
    ["queue-depth", { kind: "run", runbook: "queue-depth", params: {} }],
    [
      "pause-queue index 30m too many",
      {
        kind: "run",
        runbook: "pause-queue",
        params: { kind: "index", for: "30m", reason: "too many" },
      },
    ],
    ["resume index", { kind: "run", runbook: "resume-queue", params: { kind: "index" } }],
    ["rerun job-1 --dry-run", { kind: "run", dryRun: true }],
    ["reurn job-123", { kind: "unknown", typed: "reurn", hint: expect.stringContaining("rerun") }],
    ["help pauze-queue", { kind: "unknown", hint: expect.stringContaining("pause-queue") }],
    ["make-coffee", { kind: "unknown", hint: undefined }],
    ["rerun", { kind: "wrong", problems: [expect.stringContaining('needs "job"')] }],
    [
      "rerun job-x",
      { kind: "wrong", problems: [expect.stringContaining("a job id such as job-123")] },
    ],
    [
      "pause-queue indx",
      { kind: "wrong", problems: [expect.stringContaining('did you mean "index"')] },
    ],
    [
      "pause-queue index soon",
      { kind: "wrong", problems: [expect.stringContaining("a duration such as 30m")] },
    ],
    ["rerun 'job-1", { kind: "unreadable" }],
    ["x".repeat(3_001), { kind: "unreadable" }],
  ])("%j", (text, expected) => {
    expect(readCommand(registry, text)).toMatchObject(expected);
  });

  test("text that looks like a shell command is text", () => {
    const command = readCommand(registry, "rerun job-1 $(rm -rf /); `id` && true");
    expect(command).toMatchObject({ kind: "run", params: { reason: "$(rm -rf /); `id` && true" } });
  });
});

describe("answers on the spot", () => {
  test("help lists every runbook with its usage", () => {
    const message = answerAtOnce(registry, readCommand(registry, "help"));
    for (const { runbook } of registry.list()) expect(message?.code).toContain(usageOf(runbook));
  });

  test("what was wrong comes with the usage", () => {
    const message = answerAtOnce(registry, readCommand(registry, "rerun"));
    expect(message?.text).toContain("usage: /algobrain rerun-job JOB [REASON] [force=…]");
  });

  test("an unknown command is told with the nearest name", () => {
    const message = answerAtOnce(registry, readCommand(registry, "que-depth"));
    expect(message?.text).toContain('did you mean "queue-depth"');
  });

  test("a command to carry out has no answer yet", () => {
    expect(answerAtOnce(registry, readCommand(registry, "queue-depth"))).toBeNull();
  });
});
