/** Do alerts storm (AM-alr-04), and do people hear of them (AM-cfg-05)? */
import { HOUR_MS, MINUTE_MS } from "../../base/duration.js";
import type { PolicySet } from "../../policy/policy.js";
import type { Sql } from "../../store/database.js";
import { countFailingNotices, countFiredAlerts } from "../../store/notice-samples.js";
import { gauge, type SampleSource } from "./source.js";

const FAILING = { triesMin: 3, windowMs: HOUR_MS };

export interface NoticesSourceOptions {
  readonly sql: Sql;
  readonly policy: () => PolicySet;
}

export function noticesSource({ sql, policy }: NoticesSourceOptions): SampleSource {
  return {
    name: "notices",
    collect: async (now) => {
      const fired = await countFiredAlerts(sql, MINUTE_MS);
      const failing = await countFailingNotices(sql, FAILING);
      const counts = new Map(failing.map(({ receiver, count }) => [receiver, count]));
      // Zeros as well: a receiver that is well again must say so.
      const receivers = new Set([...Object.keys(policy().routes.receivers), ...counts.keys()]);
      return [
        ...gauge("algobrain.alerts.fired_per_minute", fired, now),
        ...[...receivers].flatMap((receiver) =>
          gauge("algobrain.notices.failing", counts.get(receiver) ?? 0, now, { receiver }),
        ),
      ];
    },
  };
}
