/** What people are told of a run, also when the place to tell it is down. */
import { describe, expect, test } from "vitest";
import type { Chat } from "../../src/runbook/port.js";
import { readRun } from "../../src/store/runs.js";
import { withDatabase } from "../support/database.js";
import {
  makeChat,
  makeIncidents,
  makeRegistry,
  makeRunbook,
  queueRun,
  workOn,
} from "../support/runbook-world.js";
import { until } from "../support/until.js";

describe("telling", () => {
  const chatPlace = { chat: { channel: "ops", ts: null } };

  test("one message lives with the run, and notes go to its incident", () =>
    withDatabase(async (db) => {
      const registry = makeRegistry(makeRunbook("fix"));
      const [chat, incidents] = [makeChat(), makeIncidents()];
      const id = await queueRun(db, registry, "fix", { ...chatPlace, incidentId: "Q1" });
      await workOn({ db, registry, chat, incidents }, id);
      expect(chat.posts).toHaveLength(1);
      expect(chat.posts[0]?.message.title).toBe(`${id} running: fix`);
      expect(chat.updates.at(-1)).toMatchObject({
        ts: "ts-1",
        message: { tone: "good", title: `${id} succeeded: fix` },
      });
      expect(incidents.notes.map(({ marker }) => marker)).toEqual([
        `${id}:started`,
        `${id}:succeeded`,
      ]);
    }));

  test("a run that did not work out is handed over with what to type next", () =>
    withDatabase(async (db) => {
      const registry = makeRegistry(
        makeRunbook("fix", {
          plan: async () => {
            throw new Error("nothing to fix");
          },
        }),
      );
      const [chat, incidents] = [makeChat(), makeIncidents()];
      const id = await queueRun(db, registry, "fix", { ...chatPlace, incidentId: "Q1" });
      await workOn({ db, registry, chat, incidents }, id);
      const fields = chat.updates.at(-1)?.message.fields;
      expect(fields).toEqual([
        { label: "Outcome", value: "nothing to fix" },
        { label: "Next", value: "/algobrain look-after fix" },
      ]);
      expect(incidents.notes.at(-1)?.text).toContain("Next: /algobrain look-after fix");
    }));

  test("with Slack down the run goes on, and its end is told later, without running again", () =>
    withDatabase(async (db) => {
      let ranCount = 0;
      const registry = makeRegistry(
        makeRunbook("fix", {
          steps: [
            {
              name: "act",
              repeat: "safe",
              run: async () => {
                ranCount++;
                return "acted";
              },
            },
          ],
        }),
      );
      const chat = makeChat();
      chat.isDown = true;
      const id = await queueRun(db, registry, "fix", chatPlace);
      await expect(workOn({ db, registry, chat }, id)).rejects.toMatchObject({
        kind: "waiting",
        code: "RUN_NOT_TOLD",
        message: `${id} ended, and Slack is down`,
      });
      expect(await readRun(db, id)).toMatchObject({ status: "succeeded" });
      chat.isDown = false;
      await workOn({ db, registry, chat }, id);
      expect(ranCount).toBe(1);
      expect(chat.posts.map(({ message }) => message.title)).toEqual([`${id} succeeded: fix`]);
    }));

  test("a Slack that takes its time holds up neither the run nor its end", () =>
    withDatabase(async (db) => {
      const registry = makeRegistry(makeRunbook("fix"));
      const remembering = makeChat();
      let answer = () => {};
      const slack = new Promise<void>((resolve) => {
        answer = resolve;
      });
      const chat: Chat = {
        ...remembering,
        post: async (...posting) => {
          await slack;
          return remembering.post(...posting);
        },
      };
      const id = await queueRun(db, registry, "fix", chatPlace);
      const worked = workOn({ db, registry, chat }, id);
      await until(
        async () => (await readRun(db, id))?.status === "succeeded",
        "the run ended before Slack answered",
      );
      answer();
      await worked;
      expect(remembering.posts).toHaveLength(1);
      expect(remembering.updates.at(-1)?.message.title).toBe(`${id} succeeded: fix`);
    }));

  test("after a day without Slack the run's job gives up on telling", () =>
    withDatabase(async (db) => {
      const registry = makeRegistry(makeRunbook("fix"));
      const chat = makeChat();
      chat.isDown = true;
      const id = await queueRun(db, registry, "fix", chatPlace);
      await expect(workOn({ db, registry, chat }, id)).rejects.toThrow("Slack is down");
      await db.query("UPDATE control.run SET ended_at = now() - interval '25 hours'");
      expect(await workOn({ db, registry, chat }, id)).toMatchObject({ status: "succeeded" });
    }));
});
