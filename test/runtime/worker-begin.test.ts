import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { listWorkers } from "../../src/store/workers.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { withWorker } from "./support/worker.js";

vi.mock("../../src/runtime/heartbeat.js", async (original) => ({
  ...(await original<typeof import("../../src/runtime/heartbeat.js")>()),
  startHeartbeat: () => ({
    beating: Promise.reject(new Error("the thread did not start")),
    stop: async () => {},
  }),
}));

let lent: TestDatabase;
beforeAll(async () => {
  lent = await createTestDatabase();
});
afterAll(() => lent.drop());

// Its listener is ended too: a database that is dropped with a session open fails.
test("a worker that cannot begin to beat ends what it began, and may be started again", async () => {
  const { db, url } = lent;
  const handlers = [{ kind: "index", run: async () => null }];
  for (const statuses of [["stopped"], ["stopped", "stopped"]]) {
    const begun = withWorker({ db, url }, { handlers }, async () => {});
    await expect(begun).rejects.toThrow("the thread did not start");
    expect((await listWorkers(db)).map(({ status }) => status)).toEqual(statuses);
  }
});
