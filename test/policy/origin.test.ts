/** Where each value comes from: the line that says it, or a default that is the one that holds. */
import { describe, expect, it } from "vitest";
import { loadRawSet } from "../../src/policy/bundle.js";
import { effectiveValues } from "../../src/policy/origin.js";
import { parsePolicyPath } from "../../src/policy/path.js";
import { resolvePolicySet } from "../../src/policy/resolve.js";
import type { RawSet } from "../../src/policy/schema.js";
import { SECTION_SCHEMAS } from "../../src/policy/schema.js";
import { fillUnwritten } from "../../src/policy/unwritten.js";
import { SHIPPED } from "./shipped.js";

function load(environment: string) {
  const checked = loadRawSet(SHIPPED, environment);
  if (!checked.ok) throw new Error(`invalid in ${environment}`);
  return checked.value;
}

const staging = load("staging");
const values = (path: string) => effectiveValues(staging, parsePolicyPath(path));

describe("a value in force", () => {
  it("is said by the overlay, by the common file, or by nobody", () => {
    const [events, samples, audit] = [
      "events_retention_days",
      "samples_retention_days",
      "audit_retention_days",
    ].map((key) => values(`retention.${key}`)[0]);
    expect(events).toMatchObject({
      ...{ path: "retention.events_retention_days", value: 14, from: "overlay" },
      file: "policies/algobrain/environments/staging.yaml",
    });
    expect(samples).toMatchObject({
      value: 30,
      from: "file",
      file: "policies/algobrain/retention.yaml",
    });
    const text = SHIPPED.find(({ path }) => path === samples!.file)!.text;
    expect(text.split("\n")[samples!.line! - 1]).toMatch(/^samples_retention_days: 30/);
    expect(audit).toMatchObject({ value: null, from: "default", file: null, line: null });
  });

  it("is one line of a list, or the whole list when it holds plain values", () => {
    expect(values("alerts.queue-depth-high.levels.high.notify").map(({ value }) => value)).toEqual([
      ["ops"],
    ]);
    expect(values("access.rules[1].danger").map(({ value }) => value)).toEqual(["R"]);
    expect(values("access.rules").length).toBeGreaterThan(10);
  });

  it("is not there for a path that leads nowhere, or through a value", () => {
    for (const path of ["retention.x", "retention.events_retention_days.x", "access.rules[99]"])
      expect(values(path)).toEqual([]);
  });

  it("is told for every path once", () => {
    const paths = effectiveValues(staging, null).map(({ path }) => path);
    expect(new Set(paths).size).toBe(paths.length);
    for (const path of paths) expect(parsePolicyPath(path), path).not.toBeNull();
  });
});

describe("what nobody wrote", () => {
  it.each(["local", "staging", "production"])("is what the set means in %s", (environment) => {
    const { raw, set } = load(environment);
    expect(resolvePolicySet(fillUnwritten(raw, environment), "algobrain", environment)).toEqual(
      set,
    );
    expect(
      resolvePolicySet(fillUnwritten(bare(raw), environment), "algobrain", environment),
    ).toEqual(resolvePolicySet(bare(raw), "algobrain", environment));
  });

  it("is shown wherever a schema lets a key be left out", () => {
    const filled = fillUnwritten(load("local").raw, "local") as unknown as Record<string, unknown>;
    const missing = Object.entries(SECTION_SCHEMAS).flatMap(([section, schema]) =>
      optionalKeys(schema as unknown as SchemaView, filled[section], section),
    );
    const unsaid = missing.filter((path) => !UNSAID.includes(path) && !CHOICES.test(path));
    expect([...new Set(unsaid)]).toEqual([]);
  });
});

/** Keys without which there simply is nothing: no default could be shown. */
const UNSAID = [
  ...[
    "access.rules.danger",
    "access.rules.runbook",
    "automation.when.alert",
    "automation.when.incident",
  ],
  ...["alerts.noData", "alerts.levels.recover", "alerts.levels.runbook", "catalogue.startedBy"],
  ...["infrastructure.services.api.target", "routes.receivers.channel", "routes.receivers.url"],
  // Either of both, and an address is what mail alone has.
  ...["alerts.levels.for", "alerts.levels.mOf", "routes.receivers.to"],
  ...["metrics.cloudwatch", "metrics.planned", "metrics.unwatched"],
];
/** One of several forms, labels that narrow, and dependencies for which the common numbers hold. */
const CHOICES =
  /\.where$|^alerts\.signal\.\w+$|\.metric\.(custom|predefined)$|\.when\.incident\.|^healing\.breakers\.dependencies\./;

/** Everything left out that may be left out. */
function bare(raw: RawSet): RawSet {
  const { flags: _, cache: __, adoption: ___, monitoring: _m, silences: _s, ...others } = raw;
  const { exceptions: _e, workload: _w, ...rest } = others;
  const { breakers: ____, enabled: _____, ...healing } = rest.healing;
  const { severities: ______, ...routes } = rest.routes;
  const { executor: _x, ...scaling } = rest.scaling;
  const { region, cluster, namespace, exportsBucket, database } = rest.infrastructure;
  const { executor: _y, ...services } = rest.infrastructure.services;
  const infrastructure = { region, cluster, namespace, exportsBucket, database, services };
  return { ...rest, healing, routes, scaling, infrastructure } as RawSet;
}

interface SchemaView {
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, SchemaView>>;
  readonly patternProperties?: Readonly<Record<string, SchemaView>>;
  readonly items?: SchemaView;
}

function optionalKeys(schema: SchemaView, value: unknown, at: string): string[] {
  if (Array.isArray(value))
    return value.flatMap((item) => optionalKeys(schema.items ?? {}, item, at));
  if (typeof value !== "object" || value === null) return [];
  const fields = value as Record<string, unknown>;
  const [named] = Object.values(schema.patternProperties ?? {});
  if (named) return Object.values(fields).flatMap((inner) => optionalKeys(named, inner, at));
  return Object.entries(schema.properties ?? {}).flatMap(([key, inner]) =>
    fields[key] === undefined ? [`${at}.${key}`] : optionalKeys(inner, fields[key], `${at}.${key}`),
  );
}
