/** Differences as people mean them: what is only called differently, moved or written elsewhere is not gone and new. */
import { describe, expect, it } from "vitest";
import { applyChanges } from "../../src/policy/apply.js";
import { loadPolicySet } from "../../src/policy/bundle.js";
import { groupByEnvironment } from "../../src/policy/by-environment.js";
import type { Change } from "../../src/policy/change.js";
import { diffPolicies } from "../../src/policy/diff.js";
import type { PolicySet } from "../../src/policy/policy.js";
import type { SourceFile } from "../../src/policy/source.js";
import { makeLevel, makePolicy, makeRule } from "../support/make-policy.js";
import { SHIPPED, withEdit } from "./shipped.js";

function load(files: readonly SourceFile[] = SHIPPED, environment = "local"): PolicySet {
  const checked = loadPolicySet(files, environment);
  if (!checked.ok) throw new Error(JSON.stringify(checked.problems[0]));
  return checked.value;
}

const operations = (changes: readonly Change[]) =>
  changes.map(({ operation: { op, at }, words }) => `${op} ${at.join(".")} ${words}`);

describe("a difference", () => {
  it("is none when only comments, layout or the order of rules change", () => {
    const files = SHIPPED.map(({ path, text }) => ({
      path,
      text: text.replaceAll(/ +#.*$/gm, ""),
    }));
    expect(diffPolicies(load(), load(files))).toEqual([]);
  });

  it("of a renamed rule is one change, and its new threshold another", () => {
    const before = makePolicy({ alerts: [makeRule()] });
    const after = makePolicy({
      alerts: [makeRule({ name: "queue-too-deep", levels: [makeLevel({ value: 1200 })] })],
    });
    const changes = diffPolicies(before, after);
    expect(operations(changes)).toEqual([
      "rename alerts renamed queue-depth-high → queue-too-deep: alerts that fire under the old name end, and begin anew under the new one",
      "set alerts.queue-too-deep.levels.AR-06.value threshold 1000 → 1200: fires later",
    ]);
    expect(changes.map(({ subject }) => subject)).toEqual([
      "queue-too-deep",
      "AR-06 queue-too-deep",
    ]);
    expect(applyChanges(changes, before)).toEqual(after);
  });

  it("of a rule that took the id of another signal is one gone and one new", () => {
    const other = makeRule({
      name: "other",
      signal: { form: "last", of: { metric: "algobrain.workers.alive", where: {} } },
    });
    const changes = diffPolicies(
      makePolicy({ alerts: [makeRule()] }),
      makePolicy({ alerts: [other] }),
    );
    expect(changes.map(({ risk, subject, words }) => `${risk} ${subject} ${words}`)).toEqual([
      "gone AR-06 queue-depth-high the rule is gone, nobody is told any more: was sev2 at > 1000, told: ops",
      "new AR-06 other the rule is new: sev2 at > 1000, told: ops",
    ]);
  });

  it("of a level put before another says where, and is no new order", () => {
    const milder = makeLevel({ id: "AR-07", name: "milder", severity: "sev3", value: 100 });
    const before = makePolicy({ alerts: [makeRule()] });
    const after = makePolicy({ alerts: [makeRule({ levels: [milder, makeLevel()] })] });
    const changes = diffPolicies(before, after);
    expect(changes.map(({ operation }) => operation)).toEqual([
      {
        op: "add",
        at: ["alerts", "queue-depth-high", "levels", "AR-07"],
        after: milder,
        ahead: "AR-06",
      },
    ]);
    expect(applyChanges(changes, before)).toEqual(after);
  });

  it("of a level with another id is a renamed level", () => {
    const before = makePolicy({ alerts: [makeRule()] });
    const after = makePolicy({ alerts: [makeRule({ levels: [makeLevel({ id: "AR-99" })] })] });
    const changes = diffPolicies(before, after);
    expect(operations(changes)).toEqual([
      "rename alerts.queue-depth-high.levels renamed AR-06 → AR-99",
    ]);
    expect(applyChanges(changes, before)).toEqual(after);
  });

  it("of a person with another name is found by the account", () => {
    const { files } = withEdit("policies/access.yaml", "name: Example Viewer", "name: Vera Viewer");
    expect(operations(diffPolicies(load(), load(files)))).toEqual([
      "rename access.people renamed Example Viewer → Vera Viewer",
    ]);
  });

  it("to a set of an older version names the sections that it lacks", () => {
    const { flags: _, cache: __, adoption: ___, ...older } = load();
    const changes = diffPolicies(older as PolicySet, load());
    expect(changes.map(({ operation, risk }) => `${operation.op} ${operation.at} ${risk}`)).toEqual(
      ["add flags new", "add cache new", "add adoption new"],
    );
  });

  it("is not applied to a set that it does not fit", () => {
    const changes = diffPolicies(makePolicy({ alerts: [makeRule()] }), makePolicy({ alerts: [] }));
    const [removed] = changes;
    const elsewhere = {
      ...removed!,
      operation: { ...removed!.operation, at: ["alerts", "x", "levels", "y"] },
    };
    expect(() => applyChanges([elsewhere], load())).toThrow("a change names alerts.x.levels");
  });
});

describe("several environments", () => {
  const change = (words: string): Change => ({
    operation: { op: "set", at: ["retention", "eventsDays"], before: 1, after: 2 },
    ...{ section: "retention", subject: "events_retention_days", risk: "neutral", words },
  });

  it("with the same change are told once, the widest first", () => {
    const groups = groupByEnvironment(
      new Map([
        ["local", [change("a"), change("b")]],
        ["production", [change("b"), change("c")]],
        ["staging", [change("c"), change("b"), change("a")]],
      ]),
    );
    expect(
      groups.map(({ title, changes }) => [title, changes.map(({ words }) => words).join("")]),
    ).toEqual([
      ["every environment", "b"],
      ["local and staging", "a"],
      ["production and staging", "c"],
    ]);
  });

  it("without changes give no group", () => {
    expect(groupByEnvironment(new Map([["local", []]]))).toEqual([]);
  });
});
