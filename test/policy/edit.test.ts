/** An edit in place: what stands around the value stays, and what the checks refuse is not written. */
import { describe, expect, it } from "vitest";
import { formatProblem } from "../../src/base/problem.js";
import { editPolicy } from "../../src/policy/edit.js";
import { parsePolicyPath } from "../../src/policy/path.js";
import type { SourceFile } from "../../src/policy/source.js";
import type { Scalar } from "../../src/policy/tree.js";
import { SHIPPED, withEdit, withFile } from "./shipped.js";

function edit(
  path: string,
  value: Scalar,
  {
    files = SHIPPED,
    environment = "local",
  }: { files?: readonly SourceFile[]; environment?: string } = {},
) {
  return editPolicy(files, { path: parsePolicyPath(path)!, environment }, value);
}

/** `file:line: before → after`, or the problem. */
function told(...args: Parameters<typeof edit>): string {
  const result = edit(...args);
  if (!result.ok) return formatProblem(result.problem);
  const { file, line, before, after } = result.value;
  return `${file.path}:${line}: ${before} → ${after}`;
}

const RETENTION = "policies/algobrain/retention.yaml";
const SCALING = "policies/algobrain/scaling.yaml";
const lineOf = (path: string, text: string) => {
  const file = SHIPPED.find((one) => one.path === path)!;
  return file.text.split("\n").findIndex((line) => line.includes(text)) + 1;
};

describe("a value", () => {
  it("is replaced, and the comment on its line stays", () => {
    expect(told("retention.quarantined_jobs_retention_days", 60)).toBe(
      `${RETENTION}:${lineOf(RETENTION, "quarantined_jobs_retention_days")}: ` +
        "quarantined_jobs_retention_days: 30 # then they are written to a file and go (X-07) … → " +
        "quarantined_jobs_retention_days: 60 # then they are written to a file and go (X-07) …",
    );
  });

  it("is changed in the overlay where the environment says it there, else in the common file", () => {
    expect(told("retention.events_retention_days", 20, { environment: "staging" })).toMatch(
      /^policies\/algobrain\/environments\/staging\.yaml:\d+: {3}events_retention_days: 14 → {3}events_retention_days: 20$/,
    );
    expect(told("retention.samples_retention_days", 31, { environment: "staging" })).toMatch(
      /^policies\/algobrain\/retention\.yaml:\d+: samples_retention_days: 30 → samples_retention_days: 31$/,
    );
  });

  it("inside braces, in the file of its rule", () => {
    expect(
      told("scaling.workers.policies.workers-queue-depth-scaling.metric.custom.statistic", "Sum"),
    ).toContain("{ custom: { namespace: AlgoBrain, name: JobQueueDepth, statistic: Sum } }");
    expect(told("alerts.api-latency-p95-high.levels.high.for", "10m")).toMatch(
      /^policies\/algobrain\/alerts\/api\.yaml:\d+: {7}for: 5m → {7}for: 10m$/,
    );
  });

  it("keeps its quotes, of either kind, and gets some when it needs them", () => {
    expect(told("routes.receivers.ops.channel", "#other")).toContain('→     channel: "#other"');
    const { files } = withEdit("policies/routes.yaml", '"#algobrain-ops"', "'#algobrain-ops'");
    expect(told("routes.receivers.ops.channel", "#other", { files })).toContain(
      "→     channel: '#other'",
    );
    expect(told("alerts.api-latency-p95-high.summary", "slow: it's")).toContain(
      '→   summary: "slow: it\'s"',
    );
  });

  it("that is there already changes nothing", () => {
    const result = edit("retention.events_retention_days", 90);
    expect(result).toMatchObject({ ok: true });
    if (result.ok)
      expect(result.value.file.text).toBe(SHIPPED.find((one) => one.path === RETENTION)!.text);
  });
});

describe("a missing key", () => {
  it("is added behind its last sibling", () => {
    const last = SHIPPED.find((one) => one.path === RETENTION)!
      .text.trimEnd()
      .split("\n").length;
    expect(told("retention.audit_retention_days", 3650)).toBe(
      `${RETENTION}:${last + 1}:  → audit_retention_days: 3650`,
    );
  });

  it("is added within its map, not within the next", () => {
    const result = edit("workers.sync.globalMax", 20);
    expect(result.ok && result.value.file.text).toContain(
      "  target: { perMinute: 20, errorRateMax: 0.02 }\n  globalMax: 20\n\ngc:",
    );
  });

  it("is added before a comment that stands for what follows", () => {
    const last = "  target: { perMinute: 20, errorRateMax: 0.02 }\n";
    const { files } = withEdit(
      "policies/algobrain/workers.yaml",
      last,
      `${last}  # of the next one\n`,
    );
    const result = edit("workers.sync.globalMax", 20, { files });
    expect(result.ok && result.value.file.text).toContain(
      `${last}  globalMax: 20\n  # of the next one\n`,
    );
  });

  it("is added inside braces when its siblings stand there", () => {
    const result = edit("healing.breakers.dependencies.pagerduty.probes", 5);
    expect(result.ok && result.value.after).toBe(
      "    pagerduty: { open: 10s, probes: 5 } # pages wait for nothing longer than they must",
    );
  });

  it("on the last line without an end, and in a file of another system", () => {
    const text = SHIPPED.find((one) => one.path === RETENTION)!.text;
    const files = withFile(RETENTION, `\uFEFF${text.trimEnd().replaceAll("\n", "\r\n")}`);
    const result = edit("retention.audit_retention_days", 3650, { files });
    expect(result.ok && result.value.file.text).toBe(
      `\uFEFF${text.trimEnd().replaceAll("\n", "\r\n")}\r\naudit_retention_days: 3650`,
    );
  });

  it("whose parent is not written is left to a person", () => {
    expect(told("alerts.api-latency-p95-high.group.wait", "10s")).toMatch(
      /api\.yaml:\d+:\d+: found no "group"/,
    );
  });
});

describe("what the checks refuse", () => {
  it.each<[string, Scalar, RegExp]>([
    ["retention.events_retention_days", 0, /retention\.yaml:\d+:24: found 0, expected at least 1/],
    ["retention.events_retention_days", "90", /expected a whole number/],
    [
      "retention.evnts_retention_days",
      90,
      /unknown key "evnts_retention_days" \(did you mean "events_/,
    ],
    [
      "alerts.api-error-rate-high.levels.critical.value",
      5,
      /found 5, expected a fraction from 0 to 1/,
    ],
    [
      "alerts.api-error-rat-high.levels.critical.value",
      0.5,
      /found no "api-error-rat-high" \(did you mean/,
    ],
    [
      "alerts.api-latency-p95-high.levels.high.notify[0]",
      "opps",
      /unknown receiver "opps" \(did you mean "ops"/,
    ],
    [
      "alerts.api-latency-p95-high.levels.high.notify[7]",
      "ops",
      /found 1 entries, expected more than 7/,
    ],
    [
      "alerts.api-latency-p95-high.levels.high",
      5,
      /found keys, expected one value \(name one of id, severity/,
    ],
    ["scaling.api.min", 500, /found 500, expected at most/],
    ["retention.events_retention_days.x", 5, /found a value, which has no "x"/],
  ])("%s = %j", (path, value, said) => {
    const result = edit(path, value);
    expect(result.ok).toBe(false);
    expect(told(path, value)).toMatch(said);
  });

  it("when the policies are wrong already, that is told", () => {
    const { files } = withEdit(SCALING, "min: 12", "min: twelve");
    expect(told("retention.events_retention_days", 60, { files })).toMatch(
      /scaling\.yaml:\d+:\d+: found "twelve"/,
    );
  });

  it("and a text over several lines is left to a person", () => {
    const { files } = withEdit(
      "policies/algobrain/infrastructure.yaml",
      "namespace: AlgoBrain",
      "namespace: |-\n  AlgoBrain",
    );
    expect(told("infrastructure.namespace", "Other", { files })).toMatch(
      /found a text of several lines, expected one \(edit it by hand\)/,
    );
  });
});
