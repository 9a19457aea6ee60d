/** A set that the version before has put in force is understood, and one of today is left as it is. */
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/base/json.js";
import { formatProblem } from "../../src/base/problem.js";
import { loadPolicySet, loadRawSet } from "../../src/policy/bundle.js";
import {
  ADOPTION_DEFAULTS,
  CACHE_DEFAULTS,
  MONITORING_DEFAULTS,
  RESPONSE_DEFAULTS,
  WORKLOAD_DEFAULTS,
} from "../../src/policy/defaults.js";
import { loadFromRaw } from "../../src/policy/from-raw.js";
import { findHarm } from "../../src/policy/harm.js";
import { completeSet } from "../../src/policy/older.js";
import type { PolicySet } from "../../src/policy/policy.js";
import { SHIPPED } from "./shipped.js";

function today(): PolicySet {
  const checked = loadPolicySet(SHIPPED, "local");
  if (!checked.ok) throw new Error("the shipped policies are invalid");
  return checked.value;
}

/** As `control.policy_revision` holds it from a version that knew nothing of this. */
function asBefore(set: PolicySet): PolicySet {
  const { flags, cache, adoption, monitoring, silences, exceptions, workload, ...rest } = set;
  const { executor: _one, ...scaling } = set.scaling;
  const { executor: _size, ...services } = set.infrastructure.services;
  const { region, cluster, namespace, exportsBucket, database, pinInTask } = set.infrastructure;
  const { severities, receivers, ...routes } = set.routes;
  const { groups, people, rules, ...access } = set.access;
  const { breakers, automation: limits, ...healing } = set.healing;
  const old = {
    ...{ ...rest, healing, scaling },
    infrastructure: { region, cluster, namespace, exportsBucket, database, pinInTask, services },
    alerts: set.alerts.map(({ groupBy, inhibitedBy, levels, ...rule }) => ({
      ...rule,
      levels: levels.map(({ mOf, ...level }) => level),
    })),
    access: {
      ...access,
      people: people.map(({ teams, ...person }) => person),
      rules: rules.map(({ approvers, approvalWithinMs, ...rule }) => rule),
    },
    automation: set.automation.map(({ trust, guard, ...automation }) => ({
      ...automation,
      guard: { cooldownMs: guard.cooldownMs, perHourMax: guard.perHourMax },
    })),
    routes: {
      ...routes,
      receivers: mapValues(receivers, ({ triesMax, sendResolved, ...receiver }) => receiver),
      escalation: routes.escalation.map(({ role }) => role),
    },
  };
  return old as unknown as PolicySet;
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, change: (value: T) => U) {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}

describe("a set of the version before", () => {
  it("has every section and key that is promised, with the defaults of today", () => {
    const set = completeSet(asBefore(today()));
    expect(set).toMatchObject({ flags: {}, cache: CACHE_DEFAULTS, adoption: ADOPTION_DEFAULTS });
    expect(set.routes.severities).toEqual(RESPONSE_DEFAULTS);
    expect(set.routes.escalation).toEqual(today().routes.escalation);
    expect(set.access.groups).toEqual({});
    expect(set.healing.breakers?.slack).toMatchObject({ probes: 3 });
    expect(set.healing.automation).toEqual(today().healing.automation);
    expect(set.access.rules).toEqual(today().access.rules);
    expect(set.access.people).toEqual(today().access.people);
    expect(set).toMatchObject({ monitoring: MONITORING_DEFAULTS, silences: [] });
    expect(set.workload).toEqual(WORKLOAD_DEFAULTS);
    expect(set.routes.receivers).toEqual(today().routes.receivers);
  });

  it("tells each instance by itself and holds nothing back, as it did", () => {
    const rules = completeSet(asBefore(today())).alerts;
    const plain = today().alerts.map((rule) => ({ ...rule, groupBy: null, inhibitedBy: [] }));
    expect(rules).toEqual(plain);
  });

  it("keeps what ran without a person running, until the policies of today are in force", () => {
    const [was] = completeSet(asBefore(today())).automation;
    expect(was?.trust).toMatchObject({ level: "auto" });
    expect(was?.guard).toEqual(today().automation[0]?.guard);
  });

  it("grants automation no more when the policies of today follow it", () => {
    const held = findHarm(completeSet(asBefore(today())), today());
    expect(held.filter(({ reason }) => reason === "automation-unbounded")).toEqual([]);
  });

  it("has the keys that its sections have been given since, beside those that it says", () => {
    const { infrastructure, ...rest } = today();
    const { review, registry, frontend } = infrastructure;
    const { oldVersionDays, cachedS, ...site } = frontend;
    const { heals, ...drift } = review.drift;
    const stored = {
      ...infrastructure,
      ...{ frontend: site, review: { ...review, drift }, registry: { owner: !registry.owner } },
    };
    const set = completeSet({ ...rest, infrastructure: stored } as unknown as PolicySet);
    expect(set.infrastructure).toEqual({
      ...infrastructure,
      registry: { ...registry, owner: !registry.owner },
    });
  });

  it("is the only one that changes", () => {
    expect(completeSet(today())).toEqual(today());
  });

  it("is understood as it was written, too, though no review would let it pass today", () => {
    const checked = loadFromRaw(writtenBefore(), "algobrain", "local");
    expect(checked.ok ? [] : checked.problems.map(formatProblem)).toEqual([]);
    const set = checked.ok ? checked.value : null;
    expect(set?.routes.escalation).toEqual(today().routes.escalation);
    expect(set).toMatchObject({ flags: {}, cache: CACHE_DEFAULTS, adoption: ADOPTION_DEFAULTS });
    expect(set?.workload).toEqual(WORKLOAD_DEFAULTS);
  });
});

/** What people wrote before there were reasons, groups, times of escalation and optional sections. */
function writtenBefore(): JsonObject {
  const checked = loadRawSet(SHIPPED, "local");
  if (!checked.ok) throw new Error("the shipped policies are invalid");
  const { flags, cache, adoption, workload, ...raw } = checked.value.raw;
  const { severities, ...routes } = raw.routes;
  const { groups, ...access } = raw.access;
  const escalation = raw.routes.escalation.map((step) =>
    typeof step === "string" ? step : step.role,
  );
  const without = (entries: object, ...keys: readonly string[]) =>
    Object.fromEntries(
      Object.entries(entries).map(([name, entry]) => [
        name,
        Object.fromEntries(Object.entries(entry).filter(([key]) => !keys.includes(key))),
      ]),
    );
  return JSON.parse(
    JSON.stringify({
      ...{ ...raw, access, routes: { ...routes, escalation } },
      metrics: without(raw.metrics, "unwatched", "emitter"),
      catalogue: without(raw.catalogue, "startedBy"),
    }),
  );
}
