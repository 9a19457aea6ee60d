/** The evidence of which handlers run here names each for as long as it does, and no longer. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readStartedJobs, StartedJobs, startedJobsPath } from "../../src/runtime/started-jobs.js";

async function withEvidence(
  check: (started: StartedJobs, kept: () => Promise<number[] | null>) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "started-"));
  const path = startedJobsPath(folder, "general-worker-1");
  const started = new StartedJobs(path);
  try {
    await check(started, () => readStartedJobs(path));
  } finally {
    await started.close();
    await rm(folder, { recursive: true });
  }
}

const beaten = ({ shared }: StartedJobs) => [...new Float64Array(shared)].filter((seq) => seq > 0);

test("a job that was reset and runs here again is named until both handlers have ended", () =>
  withEvidence(async (started, kept) => {
    started.add([5, 6]);
    started.add([5]);
    expect(beaten(started)).toEqual([5, 6]);
    started.remove(5);
    expect(beaten(started)).toEqual([5, 6]);
    expect(await kept()).toEqual([5, 6]);
    started.remove(5);
    started.remove(6);
    expect(beaten(started)).toEqual([]);
  }));

test("one that is acquitted is named no more, whatever of it still runs", () =>
  withEvidence(async (started, kept) => {
    started.add([5]);
    started.add([5, 6]);
    started.acquit(5);
    started.remove(5);
    expect(beaten(started)).toEqual([6]);
    expect(await kept()).toEqual([6]);
  }));
