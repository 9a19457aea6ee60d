/** (e) Three forged requests are refused, and nothing of them remains. */
import { systemClock } from "../base/clock.js";
import { countOutsideRows } from "../store/evidence.js";
import { GAME_DAY_PERSON } from "./overlay.js";
import {
  forgedGitHubRequest,
  forgedPagerDutyRequest,
  type SignedRequest,
  slackCommandRequest,
} from "./sign.js";
import type { Act } from "./stage.js";

const WRONG_SECRET = "not the secret that was agreed on";

export const refuseForgeries: Act = async (stage, timeline) => {
  timeline.act("e", "forged requests are refused");
  // What PagerDuty sent in earnest may still be under way, and would be counted as a change.
  await timeline.verify("all that was authentic has arrived", () => {
    const { deliveries } = stage.pagerduty;
    return deliveries.some(({ status }) => status === "waiting")
      ? null
      : `${deliveries.length} webhooks`;
  });
  const before = await countOutsideRows(stage.db);
  for (const [name, request] of forgeries()) {
    await timeline.verify(`a forged ${name} request is refused`, async () => {
      const { status } = await stage.send(request);
      return status === 401 ? "401" : null;
    });
  }
  await timeline.verify("nothing changed in the database", async () => {
    const after = await countOutsideRows(stage.db);
    return after === before ? after : null;
  });
};

function forgeries(): [string, SignedRequest][] {
  const command = {
    teamId: GAME_DAY_PERSON.team,
    userId: GAME_DAY_PERSON.user,
    channelId: "C0FORGED",
    text: "pause-queue index 30m",
    triggerId: "forged",
  };
  return [
    ["Slack", slackCommandRequest(command, WRONG_SECRET, systemClock.now())],
    ["PagerDuty", forgedPagerDutyRequest(WRONG_SECRET, "forged")],
    ["GitHub", forgedGitHubRequest(WRONG_SECRET, "forged")],
  ];
}
