import { describe, expect, it } from "vitest";
import { fault } from "../../src/base/fault.js";
import { decideHealing } from "../../src/job/heal.js";
import type { HeldJob } from "../../src/job/job.js";
import { createRuntimeNotify } from "../../src/runtime/notify.js";
import { wordOfDecision } from "../../src/runtime/runtime-word.js";

import { listNotices } from "../../src/store/notices.js";
import { withDatabase } from "../support/database.js";
import { makePolicy } from "./support/policy.js";

const job: HeldJob = {
  seq: 7,
  id: "job-7",
  kind: "index",
  payload: {},
  attempt: 2,
  fence: 3,
  crashCount: 0,
  createdAt: new Date("2026-01-28T12:00:00Z"),
};

function wordAbout(thrown: ReturnType<typeof fault.data>) {
  const policy = makePolicy();
  const kind = { attemptsMax: 5 };
  const decision = decideHealing({
    fault: thrown,
    job,
    healing: policy.healing,
    kind,
    now: new Date("2026-01-28T12:00:00Z"),
    random: 0.5,
  });
  return wordOfDecision(job, decision);
}

const policy = () => {
  const plain = makePolicy();
  const runtimeReceivers = { critical: ["pagerduty", "oncall"], operator: ["ops"] };
  return { ...plain, routes: { ...plain.routes, runtimeReceivers } };
};

describe("the runtime's words", () => {
  it("of a quarantine go to the operators, once (HB-heal-03)", async () => {
    await withDatabase(async (db) => {
      const notify = createRuntimeNotify({ policy, now: () => new Date() });
      const word = wordAbout(fault.data("BAD", "repo_id names nothing"));
      await db.transaction((tx) => notify(tx, word));
      await db.transaction((tx) => notify(tx, word));
      expect(await listNotices(db, { limit: 10 })).toMatchObject([
        {
          receiver: "ops",
          severity: "sev3",
          dedupKey: "algobrain/job-7/quarantine",
          message: { title: "job-7 (index) is quarantined" },
        },
      ]);
    });
  });

  it("of a critical failure page whoever is on call (HB-heal-05)", async () => {
    await withDatabase(async (db) => {
      const notify = createRuntimeNotify({ policy, now: () => new Date() });
      await db.transaction((tx) => notify(tx, wordAbout(fault.critical("DISK_GONE", "no disk"))));
      const notices = await listNotices(db, { limit: 10 });
      expect(notices.map(({ receiver }) => receiver).sort()).toEqual(["oncall", "pagerduty"]);
      expect(notices[0]).toMatchObject({
        severity: "sev1",
        action: "trigger",
        message: { title: "Critical failure in job-7 (index): safe mode is on" },
        details: { error: "DISK_GONE: no disk" },
      });
    });
  });
});
