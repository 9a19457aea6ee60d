import { describe, expect, it } from "vitest";
import { createLogger } from "../../src/base/log.js";
import { createRedact } from "../../src/base/redact.js";

function capture(level: "debug" | "info" = "info") {
  const lines: string[] = [];
  const log = createLogger({
    level,
    clock: { now: () => new Date("2026-01-28T10:00:00Z"), sleep: async () => {} },
    redact: createRedact(["s3cret-token"]),
    write: (line) => lines.push(line),
    fields: { role: "worker" },
  });
  return { log, lines };
}

describe("a log line", () => {
  it("is one JSON object with time, level, event and flat fields", () => {
    const { log, lines } = capture();
    log.child({ jobId: "job-1" }).info("job.claimed", { waitedMs: 12 });
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      {
        time: "2026-01-28T10:00:00.000Z",
        level: "info",
        event: "job.claimed",
        role: "worker",
        jobId: "job-1",
        waitedMs: 12,
      },
    ]);
  });

  it("never holds a secret, not even inside an error", () => {
    const { log, lines } = capture();
    log.error("call.failed", { error: new Error("bad token s3cret-token\nsecond line") });
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toContain("s3cret-token");
    expect(lines[0]).not.toContain("\n");
  });

  it("below the threshold is not written (HB-env-28)", () => {
    const { log, lines } = capture("info");
    log.debug("job.polled");
    expect(lines).toEqual([]);
  });
});
