// A Slack of one person: a stand-in for its API, and her signed commands at the product's door.
import { randomBytes } from "node:crypto";
import { startStandInSlack } from "../../dist/src/adapter/stand-in/slack.js";
import { systemClock } from "../../dist/src/base/clock.js";
import { slackCommandRequest } from "../../dist/src/gameday/sign.js";

const TEAM = "T0LOAD";
const USER = "UANN";
const ANSWER_MAX_MS = 10_000;

/** The person, and no schedule that would run beside. */
export function withAnn(policy) {
  const ann = {
    ...{ name: "ann", role: "operator", slack: [`${TEAM}/${USER}`] },
    ...{ github: null, subjects: [], teams: [] },
  };
  return { ...policy, schedules: [], access: { ...policy.access, people: [ann] } };
}

/**
 * `more`: variables of the product; `sender(url)`: a function that sends one command from a channel of its own and
 * resolves with `{ status, tookMs, channel }`; its status is 0 when there was no answer.
 */
export async function openSlackTeam() {
  const token = `xoxb-${randomBytes(8).toString("hex")}`;
  const secret = randomBytes(16).toString("hex");
  const slack = await startStandInSlack({ token });
  return {
    more: { SLACK_API_URL: slack.url, SLACK_BOT_TOKEN: token, SLACK_SIGNING_SECRET: secret },
    messages: slack.messages,
    sender: (url) => createSender(url, secret),
    close: () => slack.close(),
  };
}

function createSender(url, secret) {
  let sent = 0;
  return async (text) => {
    sent += 1;
    const channel = `C${sent}`;
    const command = {
      ...{ teamId: TEAM, userId: USER, channelId: channel },
      ...{ text, triggerId: `trigger-${sent}` },
    };
    const request = slackCommandRequest(command, secret, systemClock.now());
    const startedMs = performance.now();
    const status = await post(`${url}${request.path}`, request);
    return { status, tookMs: performance.now() - startedMs, channel };
  };
}

/** The status; 0 when there was no answer in time. */
async function post(url, { headers, body }) {
  try {
    const signal = AbortSignal.timeout(ANSWER_MAX_MS);
    const reply = await fetch(url, { method: "POST", headers, body, signal });
    await reply.arrayBuffer();
    return reply.status;
  } catch {
    // No answer is an answer here: it is counted.
    return 0;
  }
}
