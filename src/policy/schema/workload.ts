/** What workload.yaml may say. */

import { closed, Type } from "../../base/type.js";
import { SCORE_FORMULAS } from "../workload.js";
import { Bytes, Duration, Share, Whole } from "./form.js";

const Weight = (of: string) => Share(`Share of ${of} in a score.`);

const Weights = Type.Object(
  {
    activity: Weight("how much was committed lately"),
    "bus-factor": Weight("how many people share the work"),
    freshness: Weight("how long ago the last commit was"),
    release: Weight("how long ago the last release was"),
    // Where nothing is merged there is no review, and the other parts must carry the score.
    review: Type.Number({
      minimum: 0,
      maximum: 0.5,
      description: "Share of how many changes somebody else has read, and how soon.",
    }),
  },
  { ...closed, description: "Together 1. Default 0.25, 0.2, 0.2, 0.15, 0.2." },
);

const Scoring = Type.Object(
  {
    formula: Type.Enum([...SCORE_FORMULAS], {
      description: "What a score is made by. Default health-2 (docs/workers/score.md).",
    }),
    weights: Weights,
  },
  closed,
);

const People = Type.Object(
  {
    "merge-at": Type.Number({
      minimum: 0.5,
      maximum: 1,
      description: "Evidence from which two signatures are one person. Default 0.7.",
    }),
    "hint-at": Share("Evidence from which a person is asked. Default 0.4."),
  },
  closed,
);

const Repositories = Type.Object(
  {
    cache: Bytes("All clones on one machine together. Default 20GiB."),
    largest: Bytes("A repository beyond this is not cloned. Default 2GiB."),
    forks: Type.Boolean({ description: "Whether forks get people and scores. Default false." }),
    "fetch-timeout": Duration("The longest that a fetch may take. Default 15m."),
  },
  closed,
);

const Backfill = Type.Object(
  {
    "open-max": Whole(1, 10_000, "Children of one backfill that may be open. Default 200."),
    "live-older-than": Duration(
      "While a live job has waited this long, a backfill adds none (X-40). Default 30s.",
    ),
  },
  closed,
);

// GitHub takes no more than 100 requests at once, and 900 points in a minute
// (docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api).
const GitHub = Type.Object(
  {
    reserve: Type.Number({
      minimum: 0,
      maximum: 0.9,
      description: "Share of the hour's requests that jobs leave to people (AR-37). Default 0.1.",
    }),
    "in-flight": Whole(1, 100, "Requests at once over all processes. Default 20."),
    "per-second": Whole(1, 15, "Requests of one process in a second. Default 10."),
  },
  closed,
);

const Maintenance = Type.Object(
  {
    backup: Type.Boolean({
      description:
        "Whether the runtime backs up its database itself; where the cloud does, not. Default false.",
    }),
    "backups-keep": Whole(1, 365, "How many backups stay. Default 7."),
    "unused-index-days": Whole(
      1,
      365,
      "Days after which an index that nobody reads is reported. Default 14.",
    ),
  },
  closed,
);

export const WorkloadFile = Type.Partial(
  Type.Object(
    {
      scoring: Type.Partial(Scoring, closed),
      people: Type.Partial(People, closed),
      repositories: Type.Partial(Repositories, closed),
      backfill: Type.Partial(Backfill, closed),
      github: Type.Partial(GitHub, closed),
      maintenance: Type.Partial(Maintenance, closed),
    },
    closed,
  ),
  closed,
);
