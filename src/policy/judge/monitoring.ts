/** What a change of the bounds of monitoring, of incidents, outlets or silences means. */
import type { Json } from "../../base/json.js";
import { printMatcher } from "../matcher.js";
import type { SilencePolicy } from "../monitoring.js";
import { duration, plain } from "../words.js";
import {
  amount,
  exchange,
  figure,
  type Judge,
  type Meaning,
  members,
  moment,
  type Rows,
  toggle,
  verdict,
} from "./row.js";

const KEEPS = {
  more: ["looser", "the store may grow further"],
  less: ["stricter", "more is refused"],
} as const satisfies { more: Meaning; less: Meaning };

const HIDES = {
  more: ["looser", "people may be kept from knowing for longer"],
  less: ["stricter", "people are told again sooner"],
} as const satisfies { more: Meaning; less: Meaning };

const ELSEWHERE: Meaning = ["looser", "told elsewhere: make sure that somebody reads there"];

const MONITORING_ROWS: Rows = {
  "monitoring.samples.seriesMax": amount("series of all metrics", plain, KEEPS),
  "monitoring.samples.perMetricMax": amount("series of one metric", plain, KEEPS),
  "monitoring.storm.perMinute": amount("a storm begins at, in a minute", plain, {
    more: ["looser", "digests begin later"],
    less: ["stricter", "digests begin sooner"],
  }),
  "monitoring.storm.namedMax": figure("a digest names up to", plain),
  "monitoring.silences.longestMs": amount("silences may last", duration, HIDES),
  "monitoring.silences.longestPagesMs": amount("pages may be held back for", duration, HIDES),
  "monitoring.incidents.openFor": members({
    lost: ["looser", "opens no incident any more for"],
    gained: ["stricter", "opens an incident also for"],
  }),
  "monitoring.incidents.postMortemWithinMs": amount("post-mortem within", duration, {
    more: ["looser", "written later"],
    less: ["stricter", "written sooner"],
  }),
  "monitoring.incidents.postMortemFor": members({
    lost: ["looser", "no post-mortem any more for"],
    gained: ["stricter", "a post-mortem also for"],
  }),
  "monitoring.afterDeployment.paths": members({
    lost: ["looser", "no longer asked after a deployment:"],
    gained: ["stricter", "asked after a deployment, too:"],
  }),
  "monitoring.afterDeployment.withinMs": amount("a path may take", duration, {
    more: ["looser", "slow answers pass"],
    less: ["stricter", "slow answers fail"],
  }),
  "monitoring.queries.lines": figure("saved queries list up to", plain),
  "monitoring.queries.requestLines": figure("the saved query of a request lists up to", plain),
  "monitoring.queries.slowMs": figure("saved queries call a request slow after", duration),
  "monitoring.queries.top": figure("kinds on the dashboard that fail most", plain),
  ...Object.fromEntries(
    ["prometheus", "datadog", "cloudwatch", "grafana"].map((outlet) => [
      `monitoring.outlets.${outlet}.enabled`,
      toggle(`shown in ${outlet}:`, {
        on: ["stricter", "rules are judged there, too"],
        off: ["looser", "no rule is judged there any more"],
      }),
    ]),
  ),
  "monitoring.outlets.datadog.pagerduty": exchange("Datadog pages", ELSEWHERE),
  "monitoring.outlets.datadog.slack": exchange("Datadog tells", ELSEWHERE),
};

/** `rule="queue-depth-high", worker_type=~"index|score" until 2026-12-01T04:00:00.000Z, pages too`. */
function silenceWords({ matchers, ends, silencesPages }: SilencePolicy): string {
  const shown = matchersWords(matchers as unknown as Json);
  return `${shown} until ${ends}${silencesPages ? ", pages too" : ""}`;
}

function matchersWords(json: Json | undefined): string {
  return ((json ?? []) as unknown as SilencePolicy["matchers"]).map(printMatcher).join(", ");
}

const judgeSilence: Judge = ({ operation, before, after }) => {
  const isNew = operation.op === "add";
  const words = silenceWords((isNew ? after : before) as unknown as SilencePolicy);
  return isNew
    ? verdict("nobody is told of", ["looser", words])
    : verdict("people are told again of", ["stricter", words]);
};

const LONGER: Meaning = ["looser", "silent for longer"];
const SHORTER: Meaning = ["stricter", "silent for a shorter time"];

const SILENCE_ROWS: Rows = {
  "silences.*": judgeSilence,
  "silences.*.name": exchange("name"),
  "silences.*.starts": moment("from", { later: SHORTER, sooner: LONGER }),
  "silences.*.ends": moment("until", { later: LONGER, sooner: SHORTER }),
  "silences.*.owner": exchange("owner"),
  "silences.*.reason": exchange("reason"),
  "silences.*.matchers": ({ before, after }) =>
    verdict(`${matchersWords(before)} → ${matchersWords(after)}`, ["looser", "silences otherwise"]),
  "silences.*.silencesPages": toggle("pages are held back:", {
    on: ["looser", "nobody is woken"],
    off: ["stricter", "people are woken again"],
  }),
};

export const WATCHING_ROWS: Rows = { ...MONITORING_ROWS, ...SILENCE_ROWS };
