/** What the API answers after a deployment, asked over real HTTP: all 200, or what was found instead (BQ-op-26, BQ-api-09). */
import { afterEach, beforeEach, expect, test } from "vitest";
import { askPaths } from "../../src/adapter/critical-paths.js";
import {
  type Loopback,
  type LoopbackRequest,
  startLoopback,
} from "../../src/adapter/stand-in/loopback.js";
import { faultOf, never } from "./delivery.js";

let api: Loopback;
let asked: LoopbackRequest[];
const statuses = new Map<string, number>();

beforeEach(async () => {
  asked = [];
  statuses.clear();
  api = await startLoopback((request) => {
    asked.push(request);
    return { status: statuses.get(request.path) ?? 200, headers: {}, body: { path: request.path } };
  });
});
afterEach(() => api.close());

const ask = (paths: readonly string[], more: { timeoutMs?: number; signal?: AbortSignal } = {}) =>
  askPaths({ origin: api.url, paths, timeoutMs: 30_000, signal: never(), ...more });
const askOne = async (path: string, more = {}) => (await ask([path], more))[0];

test("each path is asked once, without credentials, and answered in their order", async () => {
  const looks = await ask(["/health", "/health/live"]);
  expect(looks).toEqual(
    ["/health", "/health/live"].map((path) => ({
      path,
      state: "passed",
      found: "it answered 200",
    })),
  );
  expect(asked.map(({ method, path }) => `${method} ${path}`).sort()).toEqual([
    ...["GET /health", "GET /health/live"],
  ]);
  for (const { headers } of asked) {
    expect(headers.authorization).toBeUndefined();
    expect(headers.cookie).toBeUndefined();
  }
});

test.each([
  [503, "waiting"],
  [500, "waiting"],
  [404, "failed"],
  [401, "failed"],
  [429, "failed"],
  [204, "failed"],
  [302, "failed"],
])("%i is not 200: %s", async (status, state) => {
  statuses.set("/health", status);
  expect(await askOne("/health")).toEqual({
    ...{ path: "/health", state, found: `it answered ${status}, expected 200` },
  });
  // Wherever it would have led, nobody went there.
  expect(asked).toHaveLength(1);
});

test("silence ends with the deadline, and who is not there is not reached", async () => {
  api.misbehave({ kind: "silence" });
  expect(await askOne("/health", { timeoutMs: 100 })).toMatchObject({
    ...{ state: "waiting", found: "no answer within 100 ms" },
  });
  const { url } = api;
  await api.close();
  expect(
    await askPaths({ origin: url, paths: ["/health"], timeoutMs: 30_000, signal: never() }),
  ).toMatchObject([{ state: "waiting", found: expect.stringContaining("cannot reach it") }]);
});

test("an answer without end is not read to its end", async () => {
  api.misbehave({
    ...{ kind: "answer" },
    answer: { status: 200, body: "x".repeat(1_048_577) },
  });
  expect(await askOne("/health")).toMatchObject({
    ...{ state: "failed", found: "answer is larger than 1048576 bytes" },
  });
});

test.each(["//example.com/health", "http://example.com/", "\\\\example.com/"])(
  "%s is another host, and is not asked",
  async (path) => {
    expect(await askOne(path)).toMatchObject({
      ...{ path, state: "failed", found: "it leads to example.com, which is another host" },
    });
    expect(asked).toEqual([]);
  },
);

test("it ends with the run, and says nothing about the path", async () => {
  api.misbehave({ kind: "silence" });
  const stopped = new AbortController();
  const work = faultOf(ask(["/health"], { signal: stopped.signal }));
  stopped.abort();
  expect(await work).toMatchObject({ code: "API_ABORTED" });
});
