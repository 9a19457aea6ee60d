import { describe, expect, it } from "vitest";
import { until } from "../support/until.js";
import { withApi, withServer } from "./harness.js";

const generate = (payload?: object) => ({
  method: "POST" as const,
  url: "/api/test/generate",
  ...(payload ? { payload } : {}),
});

describe("a test job (EP-21)", () => {
  it("goes before all others of its queue, and is answered when it has ended", () =>
    withApi(async ({ as, db }) => {
      const asked = as("admin", generate());
      const started = async () => (await db.query("SELECT FROM jobs WHERE priority = 10")).rowCount;
      await until(async () => (await started()) === 1, "the job is there");
      await db.query("UPDATE jobs SET status = 'completed'");
      const reply = await asked;
      expect(reply.statusCode).toBe(201);
      expect(reply.headers.location).toBe("/api/v1/jobs/job-1");
      expect(reply.json()).toMatchObject({ job_type: "audit", status: "completed" });
    }));

  it("is answered as it stands when nobody runs it in time", () =>
    withApi(async ({ as }) => {
      const reply = await as("admin", generate({ job_type: "gc", wait_ms: 0 }));
      expect(reply.json()).toMatchObject({ job_type: "gc", status: "pending" });
      expect((await as("operator", generate())).statusCode).toBe(403);
    }));

  it("is not there in production", () =>
    withServer(
      async (app) => {
        expect((await app.inject(generate())).statusCode).toBe(404);
      },
      { config: { environment: "production" } },
    ));
});
