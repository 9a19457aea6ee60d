/** The policies of this repository: valid everywhere, and saying what the handbook says. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PUBLIC_KINDS } from "../../src/job/kinds.js";
import { loadPolicySet } from "../../src/policy/bundle.js";
import {
  ADOPTION_DEFAULTS,
  CACHE_DEFAULTS,
  RESPONSE_DEFAULTS,
  WORKLOAD_DEFAULTS,
} from "../../src/policy/defaults.js";
import { policyDigest } from "../../src/policy/digest.js";
import { policySchemas } from "../../src/policy/json-schema.js";
import type { PolicySet } from "../../src/policy/policy.js";
import type { SourceFile } from "../../src/policy/source.js";
import { leafChanges } from "../support/leaf-changes.js";
import { linesOf, ROOT, SHIPPED, withEdit } from "./shipped.js";

function load(environment: string, files: readonly SourceFile[] = SHIPPED): PolicySet {
  const checked = loadPolicySet(files, environment);
  if (!checked.ok) throw new Error(`invalid in ${environment}`);
  return checked.value;
}

const local = load("local");
const rule = (name: string) => local.alerts.find((candidate) => candidate.name === name);

describe("the shipped policies", () => {
  it("have no problem in any environment", () => {
    expect(linesOf(SHIPPED)).toEqual([]);
  });

  it("read “avg 10 min” as a full window over the sum of all kinds (HB-alr-05, X-28)", () => {
    expect(rule("queue-depth-high")).toMatchObject({
      signal: { form: "agg", fn: "avg", overMs: 600_000, fullWindow: true },
      combine: "sum",
      by: [],
      noData: { afterMs: 120_000, then: "hold" },
    });
    expect(rule("orchestrator-down")?.noData).toBeNull();
  });

  it("have the twelve kinds with their slots, and one at a time where two would harm (HB-wrk-01, X-09)", () => {
    expect(Object.keys(local.workers)).toEqual(PUBLIC_KINDS);
    const kinds = Object.values(local.workers);
    expect(kinds.map(({ concurrency }) => concurrency)).toEqual([
      5, 10, 8, 20, 5, 1, 3, 2, 5, 1, 3, 1,
    ]);
    const singletons = kinds.filter(({ globalMax }) => globalMax === 1).map(({ kind }) => kind);
    expect(singletons).toEqual(["gc", "repair", "maintenance"]);
  });

  it("have the handbook's retention, backoff and scaling (HB-cfg-01…04, HB-heal-08, HB-aws-07, -08)", () => {
    expect(local.retention).toMatchObject({
      eventsDays: 90,
      jobsDays: 180,
      healdecLogsDays: 365,
      quarantinedJobsDays: 30,
      logsDays: 30,
    });
    expect(local.healing.backoff).toMatchObject({ baseMs: 1000, jitter: 0.1 });
    expect(local.healing.breakers?.slack).toMatchObject({ openMs: 30_000, probes: 3 });
    expect(local.healing.breakers?.pagerduty).toMatchObject({ openMs: 10_000, probes: 3 });
    const bounds = Object.values(local.scaling).map(({ min, max }) => [min, max]);
    expect(bounds).toEqual([
      [2, 10],
      [1, 1],
      [12, 120],
      [1, 1],
    ]);
    expect(local.scaling.workers.policies).toEqual([
      {
        name: "workers-queue-depth-scaling",
        metric: { namespace: "AlgoBrain", name: "JobQueueDepth", statistic: "Average" },
        target: 500,
        scaleInCooldownS: 600,
        scaleOutCooldownS: 120,
      },
    ]);
  });

  it("know all 105 runbooks, and only built ones that are there", () => {
    expect(Object.keys(local.runbooks)).toHaveLength(105);
    const built = Object.keys(local.runbooks).filter((name) => local.runbooks[name] === "built");
    const files = readdirSync(join(ROOT, "runbooks")).filter((name) => name.endsWith(".ts"));
    expect(built.sort()).toEqual(files.map((name) => name.slice(0, -".ts".length)).sort());
  });

  it("escalate through four roles (HB-slo-05, AM-slo-07), and answer in time by severity (X-26)", () => {
    expect(local.routes.escalation).toEqual([
      { role: "on-call", afterMs: 0 },
      { role: "tech-lead", afterMs: 900_000 },
      { role: "engineering-manager", afterMs: 1_800_000 },
      { role: "cto", afterMs: 3_600_000 },
    ]);
    expect(local.routes.severities).toEqual(RESPONSE_DEFAULTS);
  });

  it("say of caches, adoption and the workload what holds without the files (HB-wrk-17, AL-cfg-01)", () => {
    expect(local.cache).toEqual(CACHE_DEFAULTS);
    expect(local.adoption).toEqual(ADOPTION_DEFAULTS);
    expect(local.workload).toEqual(WORKLOAD_DEFAULTS);
    const without = SHIPPED.filter(
      ({ path }) => !/\/(flags|cache|adoption|workload)\.yaml$/.test(path),
    );
    expect(without).toHaveLength(SHIPPED.length - 4);
    expect(policyDigest(load("local", without))).toBe(policyDigest(local));
  });

  it("keep a rule waiting while nobody emits its metric", () => {
    const waiting = local.alerts.filter(({ waitsFor }) => waitsFor !== undefined);
    const planned = Object.values(local.metrics).filter((metric) => metric.planned !== undefined);
    expect(waiting.flatMap(({ waitsFor }) => waitsFor).sort()).toEqual(
      planned.map(({ name }) => name).sort(),
    );
  });

  it("never page from staging", () => {
    const kinds = Object.values(load("staging").routes.receivers).map(({ kind }) => kind);
    expect(kinds).toEqual(["slack", "slack", "slack"]);
  });

  it("are frozen to the last value", () => {
    expect(Object.isFrozen(local.alerts[0]?.levels[0])).toBe(true);
  });
});

describe("one changed number", () => {
  const CHANGES: readonly (readonly [string, string, string, string, number, number])[] = [
    [
      "policies/algobrain/alerts/queues.yaml",
      "value: 1000",
      "value: 1200",
      `alerts.${local.alerts.findIndex(({ name }) => name === "queue-depth-high")}.levels.1.value`,
      1000,
      1200,
    ],
    ["policies/algobrain/scaling.yaml", "max: 10\n", "max: 11\n", "scaling.api.max", 10, 11],
    [
      "policies/algobrain/retention.yaml",
      "events_retention_days: 90",
      "events_retention_days: 60",
      "retention.eventsDays",
      90,
      60,
    ],
    [
      "policies/algobrain/healing.yaml",
      "cap: 5m",
      "cap: 10m",
      "healing.backoff.capMs",
      300_000,
      600_000,
    ],
  ];

  it.each(CHANGES)(
    "in %s changes exactly that number, and the digest",
    (path, from, to, at, before, after) => {
      const changed = load("production", withEdit(path, from, to).files);
      const production = load("production");
      expect(leafChanges(production, changed)).toEqual([{ at, before, after }]);
      expect(policyDigest(changed)).not.toBe(policyDigest(production));
    },
  );

  it("in one environment leaves the others alone", () => {
    const path = "policies/algobrain/environments/staging.yaml";
    const { files } = withEdit(path, "max: 12", "max: 13");
    expect(leafChanges(load("staging"), load("staging", files))).toEqual([
      { at: "scaling.workers.max", before: 12, after: 13 },
    ]);
    expect(policyDigest(load("production", files))).toBe(policyDigest(load("production")));
  });
});

describe("the digest", () => {
  it("is 64 hex characters and the same for the same policies", () => {
    expect(policyDigest(local)).toMatch(/^[0-9a-f]{64}$/);
    expect(policyDigest(load("local"))).toBe(policyDigest(local));
  });

  it("does not see comments, the order of files, nor in which file a rule stands", () => {
    const [one, other] = ["host.yaml", "api.yaml"].map((name) =>
      SHIPPED.find(({ path }) => path.endsWith(`alerts/${name}`)),
    );
    const moved = SHIPPED.filter((file) => file !== one && file !== other)
      .concat({ path: one!.path, text: `${one!.text}\n# moved here\n${other!.text}` })
      .reverse();
    expect(policyDigest(load("local", moved))).toBe(policyDigest(local));
  });

  it("differs between environments", () => {
    const digests = ["local", "staging", "production"].map((name) => policyDigest(load(name)));
    expect(new Set(digests).size).toBe(3);
  });
});

describe("the schemas for editors", () => {
  const folder = join(ROOT, "policies", "schema");

  it("are what scripts/schema.mjs writes", () => {
    const schemas = policySchemas();
    expect(readdirSync(folder).sort()).toEqual(Object.keys(schemas).sort());
    for (const [name, schema] of Object.entries(schemas))
      expect(JSON.parse(readFileSync(join(folder, name), "utf8")), name).toEqual(schema);
  });

  it("are named in the first line of every policy file", () => {
    for (const { path, text } of SHIPPED) {
      const name = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text)?.[1];
      const target = join(ROOT, path, "..", name ?? "missing");
      expect(
        readdirSync(folder).map((file) => join(folder, file)),
        path,
      ).toContain(target);
    }
  });
});
