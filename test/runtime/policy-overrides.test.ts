import { describe, expect, it } from "vitest";
import { readConfig } from "../../src/runtime/config.js";
import { applyOverrides } from "../../src/runtime/policy-overrides.js";
import { makePolicy } from "./support/policy.js";

function overriddenBy(env: Record<string, string>) {
  const read = readConfig(env);
  if (!read.ok) throw new Error("the environment of this test is wrong");
  return applyOverrides(makePolicy(), read.value);
}

describe("applyOverrides", () => {
  it("changes nothing when nothing is set", () => {
    expect(overriddenBy({})).toEqual({ policy: makePolicy(), drift: [] });
  });

  it("lets a set variable win, and lists it as drift (design 8.4)", () => {
    const { policy, drift } = overriddenBy({
      WORKER_CONCURRENCY_INDEX: "1",
      HEALDEC_ENABLED: "false",
      DATABASE_POOL_SIZE: "3",
    });
    expect(policy.workers.index?.concurrency).toBe(1);
    expect(policy.healing.enabled).toBe(false);
    expect(policy.infrastructure.database.poolSize).toBe(3);
    expect(drift.map(({ name, value }) => [name, value])).toEqual([
      ["WORKER_CONCURRENCY_INDEX", 1],
      ["HEALDEC_ENABLED", false],
      ["DATABASE_POOL_SIZE", 3],
    ]);
  });

  it("is no drift when the variable says what the policy says", () => {
    expect(overriddenBy({ HEALDEC_ENABLED: "true" }).drift).toEqual([]);
  });
});
