/** A set that the version before has put in force is understood, and one of today is left as it is. */
import { describe, expect, it } from "vitest";
import { loadPolicySet } from "../../src/policy/bundle.js";
import { ADOPTION_DEFAULTS, CACHE_DEFAULTS, RESPONSE_DEFAULTS } from "../../src/policy/defaults.js";
import { loadFromRaw } from "../../src/policy/from-raw.js";
import { completeSet } from "../../src/policy/older.js";
import type { PolicySet } from "../../src/policy/policy.js";
import { SHIPPED } from "./shipped.js";

function today(): PolicySet {
  const checked = loadPolicySet(SHIPPED, "local");
  if (!checked.ok) throw new Error("the shipped policies are invalid");
  return checked.value;
}

/** As `control.policy_revision` holds it from a version that knew nothing of this. */
function before(set: PolicySet): PolicySet {
  const { flags, cache, adoption, ...rest } = set;
  const { severities, ...routes } = set.routes;
  const { groups, ...access } = set.access;
  const { breakers, ...healing } = set.healing;
  const old = {
    ...{ ...rest, access, healing },
    routes: { ...routes, escalation: routes.escalation.map(({ role }) => role) },
  };
  return old as unknown as PolicySet;
}

describe("a set of the version before", () => {
  it("has every section and key that is promised, with the defaults of today", () => {
    const set = completeSet(before(today()));
    expect(set).toMatchObject({ flags: {}, cache: CACHE_DEFAULTS, adoption: ADOPTION_DEFAULTS });
    expect(set.routes.severities).toEqual(RESPONSE_DEFAULTS);
    expect(set.routes.escalation).toEqual(today().routes.escalation);
    expect(set.access.groups).toEqual({});
    expect(set.healing.breakers?.slack).toMatchObject({ probes: 3 });
  });

  it("is the only one that changes", () => {
    expect(completeSet(today())).toEqual(today());
  });

  it("as it was written, too: names of roles, no optional section", () => {
    const routes = {
      receivers: { ops: { kind: "slack", channel: "#ops", perMinuteMax: 20 } },
      escalation: ["on-call", "tech-lead", "engineering-manager", "cto"],
      runtimeReceivers: { critical: ["ops"], operator: ["ops"] },
    };
    const checked = loadFromRaw({ routes }, "algobrain", "local");
    const ofRoutes = checked.ok ? [] : checked.problems.filter(({ file }) => /routes/.test(file));
    expect(ofRoutes).toEqual([]);
    const missing = checked.ok ? [] : checked.problems.map(({ file }) => file);
    expect(missing).not.toContain("bundle: flags");
    expect(missing).toContain("bundle: alerts");
  });
});
