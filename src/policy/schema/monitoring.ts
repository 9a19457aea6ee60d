/** What monitoring.yaml and silences.yaml may say. */

import { closed, Type } from "../../base/type.js";
import { SEVERITIES } from "../policy.js";
import { byName, Duration, Name, PATTERNS, Whole } from "./form.js";

const Severities = (description: string) =>
  Type.Array(Type.Enum([...SEVERITIES]), { uniqueItems: true, description });
const Enabled = { enabled: Type.Boolean() };

const Samples = Type.Object(
  {
    seriesMax: Whole(100, 100_000, "Series of all metrics; one more is refused. Default 2000."),
    perMetricMax: Whole(10, 100_000, "Series of one metric. Default 500."),
  },
  closed,
);
const Storm = Type.Object(
  {
    perMinute: Whole(5, 10_000, "More new alerts than this become digests. Default 50."),
    namedMax: Whole(1, 100, "How many alerts a digest names. Default 10."),
  },
  closed,
);
const Silences = Type.Object(
  {
    longest: Duration("The longest a silence may last. Default 30d."),
    longestPages: Duration("The longest that pages may be held back. Default 4h."),
  },
  closed,
);
const Incidents = Type.Object(
  {
    openFor: Severities("A first page of these opens an incident. Default sev1."),
    postMortemWithin: Duration("After its end (LB-slo-02). Default 48h."),
    postMortemFor: Severities("Which incidents need one. Default sev1."),
  },
  closed,
);
const AfterDeployment = Type.Object(
  {
    paths: Type.Array(Type.String({ pattern: PATTERNS.path }), {
      ...{ minItems: 1, uniqueItems: true },
      description:
        "Asked of the API after a deployment, without credentials; each, 20 at most, must answer 200. Default /health.",
    }),
    within: Duration("For the answer of each, 30s at most. Default 5s."),
  },
  closed,
);
const Queries = Type.Object(
  {
    lines: Whole(
      1,
      10_000,
      "Lines of a list: of errors, of slow requests (HB-log-01). Default 100.",
    ),
    requestLines: Whole(1, 10_000, "Lines of one request. Default 200."),
    slow: Duration("A request that took longer is slow (LB-cli-08). Default 2s."),
    top: Whole(1, 100, "Kinds on the dashboard whose jobs fail most. Default 10."),
  },
  closed,
);
const Handle = (description: string) => Type.String({ pattern: PATTERNS.handle, description });
const Datadog = Type.Object(
  {
    ...Enabled,
    pagerduty: Handle("Where critical monitors point (HB-alr-07). Default @pagerduty-critical."),
    slack: Handle("Where all others point. Default @slack-ops."),
  },
  closed,
);
const Plain = Type.Object(Enabled, closed);
const Outlets = Type.Object(
  {
    prometheus: Type.Optional(Plain),
    datadog: Type.Optional(Type.Partial(Datadog, closed)),
    cloudwatch: Type.Optional(Plain),
    grafana: Type.Optional(Plain),
  },
  { ...closed, description: "Where the rules are shown besides. Default: everywhere." },
);

export const MonitoringFile = Type.Partial(
  Type.Object(
    {
      samples: Type.Partial(Samples, closed),
      storm: Type.Partial(Storm, closed),
      silences: Type.Partial(Silences, closed),
      incidents: Type.Partial(Incidents, closed),
      afterDeployment: Type.Partial(AfterDeployment, closed),
      queries: Type.Partial(Queries, closed),
      outlets: Outlets,
    },
    closed,
  ),
  closed,
);

const Moment = (description: string) =>
  Type.String({ pattern: PATTERNS.moment, description: `${description} In UTC.` });

export const SilencesFile = byName(
  Type.Object(
    {
      starts: Moment("From when on nothing is told."),
      ends: Moment("Until when."),
      owner: Name("A person or a team of access.yaml."),
      reason: Type.String({ minLength: 10, maxLength: 500, description: "Why, for people." }),
      matchers: Type.Array(Type.String({ minLength: 1, maxLength: 1000 }), {
        minItems: 1,
        uniqueItems: true,
        description: 'All must match: rule="queue-depth-high", worker_type=~"index|score".',
      }),
      silencesPages: Type.Optional(
        Type.Boolean({ description: "Holds sev1 back, too. Default false." }),
      ),
    },
    closed,
  ),
);
