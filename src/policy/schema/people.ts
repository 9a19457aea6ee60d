/** What routes.yaml, access.yaml, automation.yaml and the runbook catalogue may say. */
import { closed, Type } from "../../base/type.js";
import { PROMOTION_LEVELS } from "../automation.js";
import { AFTER_FAILURE_FACTOR, GUARD_DEFAULTS } from "../defaults.js";
import { DOORS, ROLES } from "../policy.js";
import { byName, Duration, Name, PATTERNS, Params, Whole } from "./form.js";

/** The name of a role alone is how the previous version wrote it; its time is then that of its place. */
const EscalationStep = Type.Unsafe<string | { role: string; after: string }>({
  type: ["object", "string"],
  pattern: PATTERNS.role,
  properties: {
    role: {
      type: "string",
      pattern: PATTERNS.role,
      description: "A role, never a person or a phone number (X-42).",
    },
    after: {
      type: "string",
      pattern: PATTERNS.duration,
      description: "Time since the incident began. A duration such as 90s, 5m or 1h30m.",
    },
  },
  required: ["role", "after"],
  additionalProperties: false,
});

const Respond = Type.Object(
  {
    respondWithin: Type.String({
      pattern: PATTERNS.respondWithin,
      description: "A duration such as 15m, or nextBusinessDay.",
    }),
  },
  closed,
);

export const RoutesFile = Type.Object(
  {
    receivers: byName(
      Type.Object(
        {
          kind: Type.Enum(["slack", "pagerduty", "webhook", "email"]),
          channel: Type.Optional(
            Type.String({ pattern: PATTERNS.channel, description: "Only slack." }),
          ),
          url: Type.Optional(Type.String({ pattern: PATTERNS.url, description: "Only webhook." })),
          to: Type.Optional(
            Type.Array(Type.String({ pattern: PATTERNS.email }), {
              minItems: 1,
              uniqueItems: true,
              description: "Only email.",
            }),
          ),
          perMinuteMax: Type.Optional(
            Whole(
              1,
              600,
              "More than this in a minute becomes one digest. Default: 12 for a webhook, else 20.",
            ),
          ),
          triesMax: Type.Optional(
            Whole(
              1,
              50,
              "Attempts before a notice is given up. Default: 3 for a webhook, else for a day.",
            ),
          ),
          sendResolved: Type.Optional(
            Type.Boolean({
              description: "Whether the end of an alert is told here. Default true.",
            }),
          ),
        },
        closed,
      ),
    ),
    escalation: Type.Array(EscalationStep, {
      minItems: 1,
      uniqueItems: true,
      description: "Who is called, first to last (HB-slo-05).",
    }),
    severities: Type.Optional(
      Type.Partial(
        Type.Object({ sev1: Respond, sev2: Respond, sev3: Respond, sev4: Respond }, closed),
        { ...closed, description: "How soon somebody answers (X-26)." },
      ),
    ),
    runtimeReceivers: Type.Object(
      {
        critical: Type.Array(Type.String(), { minItems: 1, uniqueItems: true }),
        operator: Type.Array(Type.String(), { minItems: 1, uniqueItems: true }),
      },
      { ...closed, description: "Where safe mode, quarantines and other words of the runtime go." },
    ),
  },
  closed,
);

const Roles = Type.Enum([...ROLES]);

const Approvers = Type.Object(
  {
    role: Type.Optional(
      Type.Enum([...ROLES], { description: "At least this role. Default: the role of the rule." }),
    ),
    team: Type.Optional(Name("Only people of this team. Default: of any, or of none.")),
  },
  { ...closed, description: "Who may agree. The one who asked never counts." },
);

export const AccessFile = Type.Object(
  {
    people: byName(
      Type.Object(
        {
          name: Type.String({ minLength: 1 }),
          role: Roles,
          slack: Type.Optional(
            Type.Array(
              Type.String({ pattern: PATTERNS.slackUser, description: "TEAM/USER ids." }),
              {
                uniqueItems: true,
              },
            ),
          ),
          github: Type.Optional(Type.String({ minLength: 1 })),
          subjects: Type.Optional(
            Type.Array(
              Type.String({
                minLength: 1,
                description:
                  "Of a token; or cli:USER of a terminal; or git:ADDRESS of commits, who may not alone agree to them.",
              }),
              { uniqueItems: true },
            ),
          ),
          teams: Type.Optional(
            Type.Array(Name("A team that an access rule may ask to agree."), { uniqueItems: true }),
          ),
        },
        closed,
      ),
    ),
    groups: Type.Optional(
      Type.Record(Type.String({ pattern: PATTERNS.group }), Roles, {
        ...closed,
        description:
          "What the members of a group of the OIDC issuer may do; of several the highest.",
      }),
    ),
    serviceRoles: Type.Object({ pagerduty: Roles, policy: Roles }, closed),
    rules: Type.Array(
      Type.Object(
        {
          runbook: Type.Optional(Type.String({ description: "One runbook by name." })),
          danger: Type.Optional(
            Type.Enum(["R", "V", "D"], {
              description: "Every runbook that reads, is reversible, destroys.",
            }),
          ),
          role: Type.Enum([...ROLES], { description: "The least role that may ask." }),
          doors: Type.Array(Type.Enum([...DOORS]), { minItems: 1, uniqueItems: true }),
          approvals: Whole(0, 5, "How many other people must agree."),
          approvers: Type.Optional(Approvers),
          approvalWithin: Type.Optional(
            Duration("Nobody's answer within this time is a no. Default 30m."),
          ),
        },
        closed,
      ),
      { minItems: 1, description: "The first rule that matches decides; none: deny." },
    ),
  },
  closed,
);

export const AutomationFile = byName(
  Type.Object(
    {
      when: Type.Object(
        {
          incident: Type.Optional(
            Type.Object(
              {
                titleIncludes: Type.Optional(Type.String({ minLength: 3 })),
                dedupKeyPrefix: Type.Optional(Type.String({ minLength: 3 })),
              },
              { ...closed, minProperties: 1, description: "Either is enough." },
            ),
          ),
          alert: Type.Optional(Type.String({ description: "Id of an alert level, AR-…." })),
        },
        { ...closed, minProperties: 1, maxProperties: 1, description: "Exactly one." },
      ),
      runbook: Type.String({ description: "A name of runbooks/catalogue.yaml." }),
      params: Type.Optional(Params),
      guard: Type.Object(
        {
          cooldown: Duration("Not again for the same target within this time."),
          cooldownAfterFailure: Type.Optional(
            Duration(`The same after a failure. Default: cooldown × ${AFTER_FAILURE_FACTOR}.`),
          ),
          perHourMax: Whole(1, 60, "Runs in an hour."),
          perTargetPerHourMax: Type.Optional(
            Whole(
              1,
              60,
              `Runs of all automation on one target in an hour. Default ${GUARD_DEFAULTS.perTargetPerHourMax}.`,
            ),
          ),
          targetsMax: Type.Optional(
            Whole(1, 100, `Targets of one run. Default ${GUARD_DEFAULTS.targetsMax}.`),
          ),
          fold: Type.Optional(
            Duration("A cause that comes this soon after a run joins it. Default 10m."),
          ),
        },
        closed,
      ),
      trust: Type.Optional(
        Type.Object(
          {
            level: Type.Enum([...PROMOTION_LEVELS], {
              description: "manual: a person starts it. approve: people agree first. auto: alone.",
            }),
            because: Type.String({ minLength: 10, maxLength: 200, description: "Why." }),
          },
          { ...closed, description: "What is granted before it has earned it. Default: nothing." },
        ),
      ),
    },
    closed,
  ),
);

export const CatalogueFile = byName(
  Type.Object(
    {
      id: Type.String({ pattern: PATTERNS.runbookId, description: "RB-…, unique." }),
      danger: Type.Enum(["R", "V", "D"], { description: "Reads, is reversible, destroys." }),
      status: Type.Enum(["built", "planned"], {
        description: "A planned one is known and never run.",
      }),
      startedBy: Type.Optional(
        Type.Enum(["person"], {
          description: "It answers no alert and no incident by name: a person chooses it.",
        }),
      ),
    },
    closed,
  ),
);
