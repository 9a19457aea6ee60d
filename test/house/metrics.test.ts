/** The catalogue of metrics and the code that measures name the same metrics, each where the catalogue says. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadPolicySet } from "../../src/policy/bundle.js";
import { HEARTBEAT_METRIC } from "../../src/store/runtime-samples.js";
import { ROOT, SHIPPED } from "../policy/shipped.js";

const FOLDER = join(ROOT, "src", "runtime", "sample");
const NAMED = /"(algobrain\.[a-z0-9_.]+)"/g;

/** Metric → file without its ending. The heartbeat is no sample source's: the orchestrator beats. */
const emitted = new Map(
  readdirSync(FOLDER).flatMap((file) =>
    [...readFileSync(join(FOLDER, file), "utf8").matchAll(NAMED)].map(
      ([, metric]): [string, string] => [metric!, file.replace(".ts", "")],
    ),
  ),
).set(HEARTBEAT_METRIC, "orchestrator");

const checked = loadPolicySet(SHIPPED, "local");
if (!checked.ok)
  throw new Error("the shipped policies are invalid: see test/policy/shipped.test.ts");
const catalogue = Object.values(checked.value.metrics);

describe("the catalogue of metrics", () => {
  it("says of each metric that is not planned which file measures it", () => {
    const said = catalogue.flatMap(({ name, planned, emitter }) =>
      planned === undefined ? [[name, emitter]] : [],
    );
    expect(Object.fromEntries(emitted)).toEqual(Object.fromEntries(said));
  });

  it("has no planned metric that somebody measures already", () => {
    const planned = catalogue.filter((metric) => metric.planned !== undefined);
    expect(planned.filter(({ name }) => emitted.has(name))).toEqual([]);
    expect(planned.length).toBeGreaterThan(0);
  });
});
