/** Socket Mode against the stand-in: every event is acknowledged, whatever Slack does with the connection. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AcceptSlack } from "../../src/adapter/slack-connection.js";
import { startSlackSocket } from "../../src/adapter/slack-socket.js";
import {
  type StandInSlackSocket,
  startStandInSlackSocket,
} from "../../src/adapter/stand-in/slack-socket.js";
import { systemClock } from "../../src/base/clock.js";
import type { JsonObject } from "../../src/base/json.js";
import { silentLogger } from "../../src/base/log.js";
import { until } from "../support/until.js";

const APP_TOKEN = "xapp-stand-in";
let standIn: StandInSlackSocket;
let client: ReturnType<typeof startSlackSocket> | null = null;
let accepted: { kind: string; fields: JsonObject }[];
beforeEach(async () => {
  standIn = await startStandInSlackSocket(APP_TOKEN);
  accepted = [];
});
afterEach(async () => {
  await client?.stop();
  client = null;
  await standIn.close();
});

const accept: AcceptSlack = async (kind, fields) => {
  accepted.push({ kind, fields });
  return kind === "command" ? { tone: "info", title: `Working on it: ${fields.text}` } : null;
};
/** Waits are cut short: what is tested is what follows them. */
const hasty = {
  ...systemClock,
  sleep: (ms: number, signal?: AbortSignal) =>
    systemClock.sleep(Math.min(ms, ms > 9_000 ? ms : 20), signal),
};

async function connect(more: { appToken?: string; accept?: AcceptSlack } = {}): Promise<void> {
  client = startSlackSocket({
    ...{ appToken: APP_TOKEN, apiUrl: standIn.url, random: () => 0.5 },
    ...{ clock: hasty, log: silentLogger, accept, ...more },
  });
  await until(() => standIn.asked() > 0, "an address is asked for");
}
const connected = (count: number) =>
  until(() => standIn.connections() === count, `${count} connections are open`);

describe("an event", () => {
  test("is kept by the one handler, and acknowledged with what the asker is told", async () => {
    await connect();
    await connected(1);
    const ack = await standIn.send("slash_commands", { team_id: "T1", text: "queue-depth" });
    expect(accepted).toEqual([{ kind: "command", fields: { team_id: "T1", text: "queue-depth" } }]);
    expect(ack.payload).toMatchObject({
      response_type: "ephemeral",
      text: "Working on it: queue-depth",
    });
    const button = await standIn.send("interactive", { type: "block_actions" });
    expect([accepted.at(-1)?.kind, button.payload]).toEqual(["interaction", undefined]);
  });

  test.each<[string, JsonObject]>([
    ["that nobody acts on", { type: "app_mention" }],
    ["of our own message", { type: "message", bot_id: "B1", text: "/algobrain rerun job-1" }],
    ["of a person's message", { type: "message", user: "U1", text: "/algobrain rerun job-1" }],
  ])("%s is acknowledged too, or Slack sends it for ever", async (_what, event) => {
    await connect();
    await connected(1);
    const payload = { type: "event_callback", api_app_id: "A1", event };
    expect(await standIn.send("events_api", payload)).toMatchObject({
      envelope_id: "envelope-1",
    });
    expect(accepted).toEqual([]);
  });
});

describe("a connection", () => {
  test("that Slack wants to end has a successor before it is gone, and both take events", async () => {
    await connect();
    await connected(1);
    standIn.askAway("warning");
    await connected(2);
    await standIn.send("slash_commands", { text: "on the new one" });
    standIn.drop();
    await connected(1);
    await standIn.send("slash_commands", { text: "after the old one" });
    expect(accepted.map(({ fields }) => fields.text)).toEqual([
      "on the new one",
      "after the old one",
    ]);
  });

  test("that is cut is made again", async () => {
    await connect();
    await connected(1);
    standIn.drop();
    await until(() => standIn.asked() === 2, "another address is asked for");
    await connected(1);
    await standIn.send("slash_commands", { text: "again" });
    expect(accepted).toHaveLength(1);
  });

  test("that is refused for a moment is tried again", async () => {
    standIn.refuse("internal_error", "ratelimited");
    await connect();
    await connected(1);
    expect(standIn.asked()).toBe(3);
  });

  test("with a token that is no good waits for a person, and stops when it is told to", async () => {
    await connect({ appToken: "xapp-old" });
    await client?.stop();
    client = null;
    expect([standIn.asked(), standIn.connections()]).toEqual([1, 0]);
  });
});
