/**
 * Rotation of a secret that is a list: the new value is put before the ones of now, all are accepted for a while, and
 * a second run drops the old ones. A leaked one is replaced at once, and whatever it signed is worth nothing.
 */
import { formatDuration, MINUTE_MS, parseDuration } from "../../base/duration.js";
import { fault } from "../../base/fault.js";
import type { SecretKind } from "../../base/secret-kinds.js";
import { SecretText } from "../../base/secret-text.js";
import {
  type ActContext,
  DurationText,
  type Plan,
  type PlannedContext,
  type ReadContext,
  Type,
} from "../define.js";
import { READ_SERVICES, UPDATE_SERVICES } from "./permissions.js";
import {
  beforeOthers,
  isPut,
  planRotation,
  promoting,
  putPending,
  readingBefore,
  rotating,
  rotationFacts,
  secretState,
  shortId,
  valuesOf,
} from "./rotation.js";
import { ROTATION_TARGETS_MAX, restarting, rotationLocks } from "./secret-readers.js";

export const LIST_PARTS = ["add", "drop", "leaked"] as const;

export interface ListParams {
  readonly part: (typeof LIST_PARTS)[number];
  /** A duration. */
  readonly overlap: string;
}

/** What the definitions of such runbooks have in common. */
export function rotatingList(secret: string) {
  return {
    positional: ["part", "overlap"] as const,
    locks: () => rotationLocks(secret),
    targetsMax: ROTATION_TARGETS_MAX,
    timeoutMs: 55 * MINUTE_MS,
    touches: {
      database: ["jobs:read"],
      aws: [...READ_SERVICES, ...UPDATE_SERVICES, ...rotating(secret)],
    },
  } as const;
}

/** `overlap`: by default, and what it says of a `drop`. */
export function listParams(
  part: string,
  overlap: { readonly least: string; readonly means: string },
) {
  return Type.Object(
    {
      part: Type.Enum([...LIST_PARTS], { default: "add", description: part }),
      overlap: Type.Unsafe<string>({
        ...DurationText,
        default: overlap.least,
        description: overlap.means,
      }),
    },
    { additionalProperties: false },
  );
}

const CHANGES: Readonly<Record<ListParams["part"], string>> = {
  add: "a new value before the ones of now; all are accepted",
  drop: "only its first value is accepted from then on",
  leaked: "one new value, and the ones of now are refused at once",
};

/** Throws a refused Fault `OVERLAP_NOT_OVER` when old values would be dropped too early, and as `planRotation` does. */
export async function planListRotation(
  context: ReadContext<ListParams>,
  secret: string,
  leakedMeans: string,
): Promise<Plan> {
  const { part } = context.params;
  if (part === "drop") await refuseTooEarly(context, secret);
  const text = part === "leaked" ? [leakedMeans] : [];
  return planRotation(context, secret, { changes: [CHANGES[part]], text });
}

async function refuseTooEarly(
  { aws, params, now }: ReadContext<ListParams>,
  secret: string,
): Promise<void> {
  const { path, currentSince } = await secretState(aws, secret);
  const overlapMs = parseDuration(params.overlap) ?? 0;
  const overAt = new Date((currentSince ?? now()).getTime() + overlapMs);
  if (now() >= overAt) return;
  throw fault.refused(
    "OVERLAP_NOT_OVER",
    `${path} was changed at ${currentSince?.toISOString() ?? "a time that is not told"}: found less than ${formatDuration(overlapMs)} since, expected that its old values are accepted until ${overAt.toISOString()}`,
    { hint: "come back then, or say a shorter overlap when nobody needs them any more" },
  );
}

export function listRotationSteps(secret: string, kind: SecretKind) {
  return [
    {
      name: "put the new version beside the one that is read",
      repeat: {
        check: async (context: PlannedContext<ListParams>) =>
          (await isPut(context, secret)) ? ("done" as const) : ("not-done" as const),
      },
      run: async (context: ActContext<ListParams>) => {
        const version = await putPending(context, secret, await nextValue(context, secret, kind));
        return { text: `version ${shortId(version)} waits`, value: version };
      },
      undo: readingBefore<ListParams>(secret, async ({ params }) =>
        params.part === "leaked" ? "left as it is: others know the value of before" : null,
      ),
    },
    promoting(secret),
    ...restarting((context) => rotationFacts(context).readers),
  ];
}

/** Throws a refused Fault `NOTHING_TO_DROP` or `SECRET_LIST_FULL`. */
async function nextValue(
  { aws, system, params }: ActContext<ListParams>,
  secret: string,
  kind: SecretKind,
): Promise<SecretText> {
  if (params.part === "leaked") return system.newSecret(kind);
  const now = await aws.readSecret({ name: aws.place().secretOf(secret) });
  if (params.part === "add") return beforeOthers(now, system.newSecret(kind));
  const [first, ...others] = valuesOf(now);
  if (first !== undefined && others.length > 0) return new SecretText(first);
  throw fault.refused("NOTHING_TO_DROP", "one value is accepted, and it stays");
}
