/** What a digest stands for, over HTTP; that the answer is what the document says, its schema sees to. */
import Fastify from "fastify";
import { expect, test } from "vitest";
import { closeDigest, type DigestEntry, insertDigestEntries } from "../../src/store/digests.js";
import { enqueueNotice } from "../../src/store/notices.js";
import { digestRoutes } from "../../src/web/route/digests.js";
import { withDatabase } from "../support/database.js";
import { makeNotice } from "../support/make-notice.js";
import { makeDeps } from "./harness.js";

const AT = new Date("2026-03-01T12:00:00.000Z");

function makeEntry(n: number): DigestEntry {
  return {
    ...{ receiver: "ops", lane: "normal", groupKey: `rule-${n}/all`, rule: `rule-${n}` },
    ...{ level: "AR-06", severity: "sev3", action: "trigger", alerts: 1, at: AT },
    ...{ reason: "first-notification", instances: ["all"] },
  };
}

test("a digest is read page by page; another notice is none", () =>
  withDatabase(async (db) => {
    const digest = makeNotice({ reason: "digest", alerts: 5, groupKey: "digest/ops/normal" });
    const noticeId = await enqueueNotice(db, digest);
    const other = await enqueueNotice(db, makeNotice());
    await insertDigestEntries(db, [1, 2, 3, 4, 5].map(makeEntry));
    await closeDigest(db, { receiver: "ops", lane: "normal", lastId: 1_000, noticeId });
    const app = Fastify();
    digestRoutes(app, makeDeps(db));
    const get = async (path: string) => {
      const answer = await app.inject(`/api/v1/alerts/digests/${path}`);
      return [answer.statusCode, answer.json() as Record<string, unknown>] as const;
    };
    const [status, first] = await get(`${noticeId}?limit=3`);
    expect([status, first]).toMatchObject([
      200,
      {
        ...{ id: noticeId, receiver: "ops", status: "pending", alerts: 5, sent_at: null },
        text: expect.stringContaining("Queue depth high"),
        entries: [
          {
            ...{ group: "rule-1/all", rule: "rule-1", level: "AR-06", severity: "sev3", alerts: 1 },
            ...{ action: "trigger", reason: "first-notification", instances: ["all"] },
            at: AT.toISOString(),
          },
          { group: "rule-2/all" },
          { group: "rule-3/all" },
        ],
      },
    ]);
    const [, rest] = await get(`${noticeId}?limit=3&after=${String(first.next)}`);
    expect(rest).toMatchObject({ entries: [{ rule: "rule-4" }, { rule: "rule-5" }], next: null });
    for (const path of [String(other), "999999"]) expect((await get(path))[0]).not.toBe(200);
    await app.close();
  }));
