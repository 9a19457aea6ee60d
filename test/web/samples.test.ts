import { describe, expect, it } from "vitest";
import { DAY_MS } from "../../src/base/duration.js";
import type { Metric } from "../../src/policy/policy.js";
import { readWindows } from "../../src/store/samples.js";
import { judgePushed } from "../../src/web/pushed-samples.js";
import { makePolicy } from "../support/make-policy.js";
import { type Api, withApi } from "./harness.js";

const metric = (name: string, rest: Partial<Metric> = {}): Metric => ({
  ...{ name, unit: "ratio", kind: "gauge", labels: ["host"], source: "outside", help: "Ours." },
  ...rest,
});
const METRICS = {
  "probe.ok": metric("probe.ok"),
  "cpu.ratio": metric("cpu.ratio", { source: "runtime" }),
};
const policy = () => {
  const made = makePolicy({ metrics: METRICS });
  return {
    ...made,
    monitoring: { ...made.monitoring, samples: { seriesMax: 3, perMetricMax: 3 } },
  };
};

const post = (api: Api, samples: unknown, role: "viewer" | "operator" = "operator") =>
  api.as(role, { method: "POST", url: "/api/v1/samples", payload: { samples } as object });
const stored = async (api: Api) => {
  const from = new Date(Date.now() - DAY_MS);
  const to = new Date(Date.now() + DAY_MS);
  const series = await readWindows(api.db, [{ metric: "probe.ok", from }], to);
  return series.flatMap(({ labels, points }) => points.map(({ value }) => [labels.host, value]));
};

describe("pushing samples", () => {
  it("keeps what fits, says of the rest why not, and obeys the cap", () =>
    withApi(
      async (api) => {
        const ok = { metric: "probe.ok", labels: { host: "a" }, value: 0.123456789 };
        const mixed = await post(api, [ok, { ...ok, metric: "nobody.knows" }]);
        expect([mixed.statusCode, mixed.json()]).toEqual([
          200,
          {
            accepted: 1,
            refused: [{ index: 1, why: 'metrics.yaml has no metric "nobody.knows"' }],
            over_limit: 0,
          },
        ]);
        expect(await stored(api)).toEqual([["a", 0.123457]]);

        const hosts = ["a", "b", "c", "d"].map((host) => ({ ...ok, labels: { host }, value: 1 }));
        expect((await post(api, hosts)).json()).toMatchObject({ accepted: 3, over_limit: 1 });

        const none = await post(api, [{ ...ok, value: 95 }]);
        expect([none.statusCode, none.json()]).toMatchObject([
          422,
          { code: "invalid-body", errors: [{ pointer: "/samples/0" }] },
        ]);
        const moments = Array.from({ length: 61 }, (_, n) => ({
          ...{ ...ok, at: new Date(Date.now() - n * 1_000).toISOString() },
        }));
        expect((await post(api, moments)).statusCode).toBe(422);
        expect((await post(api, moments.slice(1))).json()).toMatchObject({ accepted: 60 });
        expect((await post(api, [])).statusCode).toBe(422);
        expect((await post(api, [ok], "viewer")).statusCode).toBe(403);
      },
      { policy },
    ));
});

describe("reading history", () => {
  it("takes only a span that there can be", () =>
    withApi(async (api) => {
      const get = async (from: string, to: string) =>
        (
          await api.as("viewer", {
            url: "/api/v1/samples/history",
            query: { metric: "probe.ok", from, to },
          })
        ).statusCode;
      expect(await get("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")).toBe(200);
      expect(await get("2026-01-01T00:00:00Z", "2026-02-01T00:00:01Z")).toBe(422);
      expect(await get("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z")).toBe(422);
      expect(await get("0000-01-01T00:00:00Z", "0000-01-02T00:00:00Z")).toBe(422);
      expect(await get("9999-12-31T23:00:00Z", "9999-12-31T23:30:00Z")).toBe(422);
      expect(await get("tomorrow", "2026-01-01T00:00:00Z")).toBe(422);
    }));
});

describe("what is taken from outside", () => {
  const now = new Date("2026-11-22T12:00:00Z");
  const whyOf = (changes: object) => {
    const one = { metric: "probe.ok", labels: { host: "a" }, value: 1, ...changes };
    return judgePushed([one], METRICS, now).refused[0]?.why ?? null;
  };

  it.each([
    [{}, null],
    [{ labels: {} }, null],
    [{ at: "2026-11-22T11:00:00Z" }, null],
    [{ at: "2026-11-22T14:01:00+02:00" }, null],
    [{ at: "2026-11-22T10:59:59Z" }, /hour ago/],
    [{ at: "2026-11-22T12:01:01Z" }, /ahead of our clock/],
    [{ at: "2026-11-22T12:00:00" }, /with a zone/],
    [{ at: "2026-13-99T12:00:00Z" }, /with a zone/],
    [{ value: 1.01 }, /no ratio/],
    [{ value: -1 }, /no ratio/],
    [{ metric: "cpu.ratio" }, /measured by runtime/],
    [{ metric: "constructor" }, /no metric "constructor"/],
    [{ labels: { host: "a", user: "b" } }, /no label "user", but host/],
  ])("%o: %s", (changes, why) => {
    if (why === null) expect(whyOf(changes)).toBeNull();
    else expect(whyOf(changes)).toMatch(why);
  });
});
