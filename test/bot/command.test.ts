import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { readCommand } from "../../src/bot/command.js";
import { answerAtOnce, usageOf } from "../../src/bot/help.js";
import { quoteWord, splitWords } from "../../src/bot/words.js";
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

  test("a word that is quoted is read as the same word", () => {
    const letter = fc.constantFrom(..."ab=\"' “”„‘’…-<&\n");
    const anyWord = fc.oneof(fc.string(), fc.string({ unit: letter }));
    fc.assert(
      fc.property(fc.array(anyWord, { maxLength: 4 }), (words) => {
        const quoted = words.map(quoteWord);

        for (const [at, word] of words.entries())
          if (quoted[at] === null) expect(word).toMatch(/^(?=.*")(?=.*')/s);
        fc.pre(!quoted.includes(null));
        expect(splitWords(quoted.join(" "))).toEqual({ ok: true, words });
      }),
      { numRuns: 500 },
    );
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
    [
      "reurn job-123",
      { kind: "unknown", typed: "reurn", near: ["rerun", "retry"], rest: ["job-123"] },
    ],
    ["help pauze-queue", { kind: "unknown", near: ["pause-queue"] }],
    ["aprove run-17", { kind: "unknown", near: ["approve"], rest: ["run-17"] }],
    ["make-coffee", { kind: "unknown", near: [] }],
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
    ["note it burns", { kind: "note", number: null, text: "it burns" }],
    ["note inc-2026-11-22-001 x", { kind: "note", number: "INC-2026-11-22-001", text: "x" }],
    ["note", { kind: "unreadable" }],
    ["note INC-2026-11-22-001", { kind: "unreadable" }],
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
  const answerTo = (text: string) => answerAtOnce(registry, readCommand(registry, text));

  test("help lists every runbook with its usage", () => {
    const message = answerAtOnce(registry, readCommand(registry, "help"));
    for (const { runbook } of registry.list()) expect(message?.code).toContain(usageOf(runbook));
  });

  test("what was wrong comes with the usage, and a line to copy", () => {
    expect(answerTo("rerun")).toMatchObject({
      text: [
        'rerun-job needs "job": a job id such as job-123',
        "usage: /algobrain rerun-job JOB [REASON] [force=…]",
        "To copy, and to fill in between the quotes:",
      ].join("\n"),
      code: '/algobrain rerun-job job="…"',
    });
  });

  test.each([
    ["pause-queue indx 10m", "/algobrain pause-queue index 10m"],
    ["pause-queue indx reason='it is full'", '/algobrain pause-queue index reason="it is full"'],
    ["pause-queue index for=soon", '/algobrain pause-queue index for="…"'],
    ["cancel-job job-7", '/algobrain cancel-job job-7 reason="…"'],
    ["cancel-job --dry-run", '/algobrain cancel-job job="…" reason="…" --dry-run'],
    ["prioritize-jobs index --too 3", '/algobrain prioritize-jobs index to="…"'],
    ["reurn job-123", "/algobrain rerun-job job-123"],
    ["reurn", '/algobrain rerun-job job="…"'],
    ["que-depth", "/algobrain queue-depth"],
    ["help pauze-queue", "/algobrain pause-queue --help"],
    ["aprove run-17 it is fine", "/algobrain approve run-17 it is fine"],
  ])("%s is answered with a line to copy", (text, line) => {
    expect(answerTo(text)?.code).toBe(line);
  });

  test("what cannot be typed again, or is too long to copy, is not offered", () => {
    for (const given of [`reason=„it's a "thing“`, `patch=${"y".repeat(1_100)}`]) {
      const { code, text } = answerTo(`release-quarantined-job seven ${given}`) ?? {};
      expect(text).toContain("usage: /algobrain release-quarantined-job JOB");
      expect({ code, says: text?.includes("To copy") }).toEqual({ says: false });
    }
  });

  test("what must be one of a few is told with all of them", () => {
    expect(answerTo("pause-queue")?.text).toContain(
      'pause-queue needs "kind": a kind of job, or all; one of index, identity, score, ',
    );
  });

  test("an unknown command is told with the nearest name", () => {
    expect(answerTo("que-depth")?.text).toContain('did you mean "queue-depth"?');
    expect(answerTo("make-coffee")).toEqual({
      tone: "warning",
      title: 'There is no command "make-coffee"',
      text: "/algobrain help lists them all.",
    });
  });

  test("a command to carry out has no answer yet", () => {
    expect(answerAtOnce(registry, readCommand(registry, "queue-depth"))).toBeNull();
  });
});
