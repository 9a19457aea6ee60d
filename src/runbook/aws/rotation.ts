/**
 * The rotation of one secret, as far as it is the same for all: a new value waits (AWSPENDING), becomes the one that
 * is read (AWSCURRENT), and the one before stays at hand (AWSPREVIOUS). No fact, answer or sentence holds a value; what
 * became of an interrupted step is told by the stages alone.
 */
import { MINUTE_MS } from "../../base/duration.js";
import { fault } from "../../base/fault.js";
import { SecretText } from "../../base/secret-text.js";
import type { AwsReader } from "../aws-port.js";
import type { ActContext, Plan, PlannedContext, ReadContext, Verdict } from "../define.js";
import type { AwsPermission } from "../power.js";
import { patiently } from "./patient.js";
import { judgeReaders, restartChanged } from "./secret-readers.js";

/** Of a list: each is tried on every request. */
const VALUES_MAX = 5;
const SHOWN_ID = 8;

export interface SecretState {
  /** `algobrain/prod/jwt-secret`. */
  readonly path: string;
  /** Ids of versions. */
  readonly current: string;
  readonly currentSince: Date | null;
  readonly pending: string | null;
  readonly previous: string | null;
}

/** In the facts of a plan. */
export interface RotationFacts {
  /** Ids of versions, when this was planned. */
  readonly current: string;
  readonly pending: string | null;
  /** Services that read it, in the order in which they are restarted. */
  readonly readers: readonly string[];
}

/** What rotating this secret needs in AWS, besides what its readers need. */
export function rotating(secret: string): readonly AwsPermission[] {
  return [
    {
      actions: [
        "secretsmanager:ListSecretVersionIds",
        "secretsmanager:GetSecretValue",
        "secretsmanager:PutSecretValue",
        "secretsmanager:UpdateSecretVersionStage",
      ],
      resources: [`arn:aws:secretsmanager:{region}:{account}:secret:{secrets}/${secret}-*`],
    },
  ];
}

/** Throws a refused Fault `SECRET_MISSING` or `SECRET_EMPTY`. */
export async function secretState(
  aws: Pick<AwsReader, "place" | "secret">,
  secret: string,
): Promise<SecretState> {
  const path = aws.place().secretOf(secret);
  const view = await aws.secret(path);
  if (view === null)
    throw fault.refused("SECRET_MISSING", `there is no secret ${path}`, {
      hint: "apply the services stack: it makes it, without a value",
    });
  const at = (stage: string) => view.versions.find(({ stages }) => stages.includes(stage));
  const current = at("AWSCURRENT");
  if (current === undefined)
    throw fault.refused("SECRET_EMPTY", `${path} has no value yet, so nothing can be rotated`, {
      hint: `give it its first one: aws secretsmanager put-secret-value --secret-id ${path} --secret-string file:///dev/stdin`,
    });
  return {
    ...{ path, current: current.id, currentSince: current.createdAt },
    pending: at("AWSPENDING")?.id ?? null,
    previous: at("AWSPREVIOUS")?.id ?? null,
  };
}

export interface RotationWords {
  /** `algobrain/prod/jwt-secret`, without a verb: what becomes of it. */
  readonly changes: readonly string[];
  readonly text?: readonly string[];
}

/** Throws a refused Fault `DEPLOYMENT_UNDER_WAY` while a reader is being replaced already. */
export async function planRotation(
  { aws }: Pick<ReadContext<unknown>, "aws">,
  secret: string,
  words: RotationWords,
): Promise<Plan> {
  const state = await secretState(aws, secret);
  const readers = aws.place().readersOf(secret);
  const views = await Promise.all(readers.map((name) => aws.service(name)));
  const busy = views.find(({ deployments }) => deployments.length > 1);
  if (busy)
    throw fault.refused("DEPLOYMENT_UNDER_WAY", `${busy.name} is being deployed`, {
      hint: `wait for it: /algobrain show-capacity ${busy.name}`,
    });
  const facts: RotationFacts = { current: state.current, pending: state.pending, readers };
  return {
    text: [
      `${state.path} is at version ${shortId(state.current)}${state.currentSince === null ? "" : `, since ${state.currentSince.toISOString()}`}`,
      `it is read by ${readers.join(", ") || "no service"}`,
      ...(words.text ?? []),
    ].join("\n"),
    changes: [
      ...words.changes.map((change) => `${state.path}: ${change}`),
      ...views.map(({ name, desired }) => `restart ${name} (${desired} tasks)`),
    ],
    facts: { ...facts, readers: [...readers] },
  };
}

export function rotationFacts({ plan }: Pick<PlannedContext<unknown>, "plan">): RotationFacts {
  return plan.facts as unknown as RotationFacts;
}

/** Words of a version for people. */
export function shortId(version: string): string {
  return version.slice(0, SHOWN_ID);
}

/** A new version waits that did not when this was planned. */
export async function isPut(context: PlannedContext<unknown>, secret: string): Promise<boolean> {
  const { pending } = await secretState(context.aws, secret);
  return pending !== null && pending !== rotationFacts(context).pending;
}

/** Makes the value the version that waits; answers with its id. The same value twice is one version. */
export async function putPending(
  context: Pick<ActContext<unknown>, "aws" | "wait" | "say">,
  secret: string,
  value: SecretText,
): Promise<string> {
  const { aws } = context;
  const name = aws.place().secretOf(secret);
  const put = () => aws.putSecret({ name, value, stage: "AWSPENDING" });
  return (await patiently(context, put)).version;
}

/** The new value before the ones of now, with commas: the first signs, all are accepted (design 8.9, X-34). */
export function beforeOthers(list: SecretText, fresh: SecretText): SecretText {
  const values = valuesOf(list);
  if (values.length >= VALUES_MAX)
    throw fault.refused("SECRET_LIST_FULL", `${values.length} values are accepted already`, {
      hint: "drop the old ones first",
    });
  return new SecretText([fresh.reveal(), ...values].join(","));
}

export function valuesOf(list: SecretText): string[] {
  return list
    .reveal()
    .split(",")
    .map((value) => value.trim())
    .filter((value) => value !== "");
}

/**
 * The step that makes the version that waits the one that is read. A repeat finds it done, or does what is left of it.
 * @param made by whom: `here` after this was planned, or `before` by a person
 */
export function promoting(secret: string, made: "here" | "before" = "here") {
  return {
    name: "make it the one that is read",
    repeat: {
      check: async (context: PlannedContext<unknown>) => {
        const { current, pending } = await secretState(context.aws, secret);
        const isDone = current !== rotationFacts(context).current && pending !== current;
        return isDone ? ("done" as const) : ("not-done" as const);
      },
    },
    run: async (context: ActContext<unknown>) => {
      const { path, current, pending } = await secretState(context.aws, secret);
      const facts = rotationFacts(context);
      if (pending === null && current !== facts.current)
        return `${path} is at version ${shortId(current)} already`;
      if (pending === null || (pending === facts.pending) !== (made === "before"))
        throw fault.refused("NOTHING_PENDING", `no new version of ${path} waits any more`, {
          hint: "somebody else changed it: look at it, and ask for the rotation again",
        });
      await patiently(context, () => context.aws.promoteSecret({ name: path, version: pending }));
      const text = `${path} is at version ${shortId(pending)} now, ${shortId(current)} is the one before`;
      return { text, value: pending };
    },
    undo: { never: "the way back belongs to the step that made the new value" },
  };
}

/**
 * The undo of the step that made the new value: the version before is read again, by readers too. Nothing when another
 * one has become current since, whoever made it. It may be asked again at every point.
 */
export function readingBefore<P>(
  secret: string,
  mayReturn: (context: ActContext<P>) => Promise<string | null> = async () => null,
) {
  return {
    name: "read the value of before again",
    repeat: "safe" as const,
    run: async (context: ActContext<P>): Promise<string> => {
      const before = rotationFacts(context).current;
      const state = await secretState(context.aws, secret);
      if (state.current !== before) {
        if (state.previous !== before) return `${state.path} was changed again since: left so`;
        const why = await mayReturn(context);
        if (why !== null) return why;
        const back = { name: state.path, version: before };
        await patiently(context, () => context.aws.promoteSecret(back));
      }
      const restarted = await restartChanged(context);
      return `${state.path} is at version ${shortId(before)}${restarted.length > 0 ? `, and ${restarted.join(", ")} read it` : ""}`;
    },
  };
}

/**
 * One new version is the current one, nothing waits, and all readers run tasks that began since.
 * @param said what people have to do then; empty: nothing
 */
export function judgingRotation<P>(secret: string, said: (context: PlannedContext<P>) => string) {
  return {
    withinMs: () => 2 * MINUTE_MS,
    everyMs: 5_000,
    check: async (context: PlannedContext<P>): Promise<Verdict> => {
      const { path, current, pending } = await secretState(context.aws, secret);
      if (current === rotationFacts(context).current)
        return { state: "failed", text: `${path} is at the version of before` };
      if (pending !== null)
        return { state: "failed", text: `a version of ${path} waits that nobody reads` };
      const { state, text } = await judgeReaders(context);
      if (state !== "passed") return { state, text };
      const found = `${path} is at version ${shortId(current)}: ${text}`;
      return { state, text: [found, said(context)].filter(Boolean).join("; ") };
    },
  };
}
