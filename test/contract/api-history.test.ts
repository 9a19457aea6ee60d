/** The reader and the real server, over a socket: what is kept is what a backtest elsewhere gets. */
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { createApiHistory } from "../../src/adapter/api-history.js";
import { startLoopback } from "../../src/adapter/stand-in/loopback.js";
import { decodeChunk } from "../../src/alert/chunk.js";
import { DAY_MS } from "../../src/base/duration.js";
import { foldBlock } from "../../src/store/sample-rounds.js";
import { insertSamples, readWindows } from "../../src/store/samples.js";
import { tokenFor, withApi } from "../web/harness.js";
import { faultOf, never } from "./delivery.js";

const MIDNIGHT = Date.UTC(2026, 10, 1);
const at = (days: number) => new Date(MIDNIGHT + days * DAY_MS);
const sample = (days: number, host: string) => ({
  ...{ metric: "m", labels: { host }, at: at(days), value: days },
});

describe("history over the API", () => {
  test("is what the windows are, page after page, folded or not", () =>
    withApi(async ({ app, db }) => {
      const hosts = Array.from({ length: 45 }, (_, n) => `host-${n}`);
      for (const days of [0.5, 1, 1.75, 40.25])
        await insertSamples(
          db,
          hosts.map((host) => sample(days, host)),
        );
      while (await db.transaction((tx) => foldBlock(tx, at(50)))) {}
      // Late into a folded day, of today, and a row that the version before wrote.
      await insertSamples(db, [sample(1.5, "host-7"), sample(41, "host-7")]);
      await db.query(
        "INSERT INTO control.sample SELECT id, $1, 9 FROM control.series WHERE labels ->> 'host' = 'host-7'",
        [at(1.6)],
      );
      await app.listen({ port: 0, host: "127.0.0.1" });
      const { port } = app.server.address() as AddressInfo;
      const source = createApiHistory({
        ...{ url: `http://127.0.0.1:${port}/`, token: await tokenFor("viewer") },
        decode: decodeChunk,
      });
      const metric = { name: "m", prometheusName: "m", factor: 1, labels: ["host"] };
      const unknown = { ...metric, name: "unknown" };
      const [from, to] = [at(0.5), at(41)];
      const found = await source.load(
        { metrics: [metric, unknown], from, to, stepMs: 15_000 },
        never(),
      );
      const windows = await readWindows(db, [{ metric: "m", from }], to);
      expect(found).toHaveLength(45);
      expect(
        found.map(({ labels, times, values }) => ({
          ...{ metric: "m", labels },
          points: Array.from(times, (ms, i) => ({ at: ms, value: values[i] })),
        })),
      ).toEqual(windows);
      expect(found.find(({ labels }) => labels.host === "host-7")?.times).toHaveLength(6);
    }));
});

describe("what goes wrong has a kind", () => {
  test.each([
    [200, [], { code: "HISTORY_API_ANSWER_INVALID" }],
    [200, { series: [{ labels: {} }] }, { code: "HISTORY_API_ANSWER_INVALID" }],
    [
      200,
      { series: [{ labels: {}, days: [{ day: "2026-11-01", data: "AQ==" }] }], next: null },
      { code: "CHUNK_CORRUPT" },
    ],
    [401, {}, { kind: "waiting", code: "HISTORY_API_UNAUTHORIZED" }],
    [404, {}, { kind: "data", code: "HISTORY_API_REFUSED" }],
    [503, {}, { kind: "transient", code: "HISTORY_API_FAILED" }],
  ])("answer %s %j", async (status, body, expected) => {
    const loopback = await startLoopback(() => ({ status, body }));
    try {
      const source = createApiHistory({ url: loopback.url, token: "t", decode: decodeChunk });
      const metric = { name: "m", prometheusName: "m", factor: 1, labels: [] };
      const wanted = { metrics: [metric], from: at(0), to: at(1), stepMs: 15_000 };
      expect(await faultOf(source.load(wanted, never()))).toMatchObject(expected);
    } finally {
      await loopback.close();
    }
  });
});
