/** What flags.yaml, cache.yaml and adoption.yaml may say. */

import { closed, Type } from "../../base/type.js";
import { byName, Duration, Name, PATTERNS, Share, Whole } from "./form.js";

const FlagValue = Type.Unsafe<boolean | number>({
  type: ["boolean", "number"],
  description: "What the code gets.",
});

export const FlagsFile = byName(
  Type.Object(
    {
      value: FlagValue,
      owner: Name("Who takes it out again: a role of routes.yaml or a person of access.yaml."),
      expires: Type.String({
        pattern: PATTERNS.date,
        description: "The last day on which it may be there, in UTC (X-57).",
      }),
      why: Type.String({ minLength: 1, maxLength: 200, description: "One sentence for people." }),
    },
    closed,
  ),
);

export const CacheFile = Type.Partial(
  Type.Object(
    {
      default: Duration("Whatever has no lifetime of its own. Default 1h (AL-cfg-01)."),
      "repo-metadata": Duration(
        "What is known of a repository (HB-wrk-17). Default: that of `default`.",
      ),
      "repo-score": Duration("Its latest score. Default 5m."),
    },
    closed,
  ),
  closed,
);

export const AdoptionFile = Type.Partial(
  Type.Object(
    {
      newPagesMax: Whole(
        0,
        100,
        "Levels that it would fire at once and that do not fire now. Default 3.",
      ),
      canary: Duration("How long one process works with it before all do. Default 3s."),
      probation: Duration("How long it is watched afterwards. Default 5m."),
      stormPages: Whole(1, 1000, "Pages during the probation with which it goes back. Default 10."),
      retentionMargin: Share(
        "Rows that may become due beyond those previewed, as a share of these. Default 0.1.",
      ),
    },
    closed,
  ),
  closed,
);
