/**
 * What a look at drift asks the runtime for, and what becomes of it: for each value that nobody stands for one pull request
 * that keeps what runs, the same one at the next look, and none any more once the drift has gone or is another.
 */
import { policyPathOf, policyPathsOf } from "./policy-value.js";

/** One number of what runs that differs from the policies. */
export interface DriftedValue {
  /** Terraform's. */
  readonly address: string;
  readonly attribute: string;
  /** What runs. */
  readonly value: number;
}

/** What a whole look has found: a look that failed in part is not told. */
export interface DriftLook {
  readonly environment: string;
  readonly lookedAt: Date;
  /** Nobody stands for these, and their class is `propose`. */
  readonly values: readonly DriftedValue[];
  /** Resources that differ too and that nothing is proposed for: what was proposed for them before stays as it is. */
  readonly held: readonly string[];
  /** The subject of who tells it. */
  readonly by: string;
}

interface PullRequestPlace {
  readonly number: number;
  readonly url: string;
}

export interface Proposal {
  /** Of the policies: `scaling.workers.max`. */
  readonly path: string;
  readonly value: number;
  /** `refused`: people have closed it, and what differs is the same. `none`: there is no pull request, `why` says the reason. */
  readonly outcome: "opened" | "open" | "refused" | "none";
  /** Null with `none` only. */
  readonly pullRequest: PullRequestPlace | null;
  readonly why: string | null;
}

/** A pull request for a drift that is no more. */
export interface EndedProposal extends PullRequestPlace {
  readonly path: string;
  /** `left`: others have pushed to it, so it is theirs. */
  readonly outcome: "closed" | "merged" | "left";
  readonly why: string;
}

export interface ToldDrift {
  readonly proposals: readonly Proposal[];
  readonly ended: readonly EndedProposal[];
}

/** `unknown`: a value may not be proposed. `busy`: another look is being told. `older`: a later one has been told already. */
export type ToldOutcome =
  | ({ readonly outcome: "told" } & ToldDrift)
  | { readonly outcome: "unknown" | "busy" | "older" };

/** Throws a Fault when the host does not answer; whoever tells the same look again goes on where it ended. */
export type ProposeDrift = (look: DriftLook, signal: AbortSignal) => Promise<ToldOutcome>;

/** Requests for drift begin so in `requested_by`; people's begin with their door. */
export const DRIFT_REQUESTER = "drift:";

/** What an earlier look has asked for. */
export interface EarlierProposal {
  readonly key: string;
  readonly path: string;
  readonly value: number;
  /** `unsure`: asked for, and nobody knows what has come of it. `refused`: closed by people. */
  readonly state: "unsure" | "open" | "refused";
}

export interface WantedProposal extends DriftedValue {
  readonly path: string;
}

export interface ProposalPlan<T extends EarlierProposal = EarlierProposal> {
  /** With what an earlier look has asked for the same; null: nothing. */
  readonly wanted: readonly (readonly [WantedProposal, T | null])[];
  readonly withdraw: readonly { readonly earlier: T; readonly why: string }[];
}

/** Null: one of the values is none of the policies, or one stands there twice. */
export function wantedOf(values: readonly DriftedValue[]): readonly WantedProposal[] | null {
  const wanted = values.flatMap((one) => {
    const path = policyPathOf(one.address, one.attribute);
    return path === null ? [] : [{ ...one, path }];
  });
  const paths = new Set(wanted.map(({ path }) => path));
  return paths.size === values.length ? wanted : null;
}

/** Each value has one that counts: an open one before one that people have refused, and both before one that is unsure. */
export function planProposals<T extends EarlierProposal>(
  wanted: readonly WantedProposal[],
  held: readonly string[],
  earlier: readonly T[],
): ProposalPlan<T> {
  const paired = wanted.map((one) => {
    const same = earlier.filter(({ path, value }) => path === one.path && value === one.value);
    const counts = ORDER.map((state) => same.find((other) => other.state === state));
    return [one, counts.find((found) => found !== undefined) ?? null] as const;
  });
  const counting = new Set(paired.map(([, found]) => found));
  const heldPaths = new Set(held.flatMap(policyPathsOf));
  const withdraw = earlier
    .filter((one) => !counting.has(one) && !heldPaths.has(one.path))
    .map((one) => ({ earlier: one, why: whyNoMore(one, wanted) }));
  return { wanted: paired, withdraw };
}

const ORDER = ["open", "refused", "unsure"] as const;

function whyNoMore({ path, value }: EarlierProposal, wanted: readonly WantedProposal[]): string {
  const now = wanted.find((one) => one.path === path);
  if (now === undefined) return `${path} runs as the policies say again`;
  if (now.value === value) return `another pull request asks for ${path} = ${value} already`;
  return `${path} runs with ${now.value} by now, not with ${value}`;
}

/** Hidden in the comment, so that whoever was interrupted does not write it twice. */
export const WITHDRAWN_MARKER = "<!-- algobrain:drift-withdrawn -->";

export function withdrawnComment(why: string): string {
  return [
    WITHDRAWN_MARKER,
    `Closed by AlgoBrain, which opened this for drift: ${why}. Nobody else has pushed to it.`,
    "",
    "To have the value all the same, ask for it: `algobrain policy change`.",
  ].join("\n");
}

/** Of the pull request, at most 500 characters. */
export function driftReason({ address, attribute, value }: WantedProposal, at: Date): string {
  const when = at.toISOString().slice(0, 16).replace("T", " ");
  return (
    `the look at drift of ${when} UTC found ${address} running with ${attribute} = ${value}, and nobody stands for it. ` +
    "Merge this to keep what runs. To refuse it, close this: the next apply puts back what the policies say."
  );
}

/** Whether nobody but us has a part in it: one commit, ours, however the host signs it. */
export function isOursAlone(
  commits: readonly { readonly author: string | null; readonly committer: string | null }[],
  me: string,
): boolean {
  const [only] = commits;
  if (commits.length !== 1 || only === undefined || only.author !== me) return false;
  return only.committer === me || only.committer === HOST_SIGNER;
}

/** Commits that GitHub signs in somebody's name are committed by this user. */
const HOST_SIGNER = "web-flow";
