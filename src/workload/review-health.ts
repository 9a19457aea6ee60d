/**
 * How much of what is merged somebody else has read before, and how soon: from the events that GitHub sent
 * (`pull_request` and `pull_request_review`). Foreign text: what cannot be read counts for nothing.
 */
import { HOUR_MS } from "../base/duration.js";
import type { ReviewEvent } from "../store/review-events.js";
import { isBot } from "./person.js";

export interface ReviewFacts {
  /** Pull requests of people that were merged. */
  readonly merged: number;
  /** Of these, how many somebody else had reviewed before. */
  readonly reviewed: number;
  /** Median of the hours from opening to the first review by somebody else; null: none was reviewed. */
  readonly hoursToReview: number | null;
}

interface Pull {
  readonly author: string;
  readonly openedMs: number;
  readonly mergedMs: number;
}

/** Null: no pull request of a person was merged, so nothing can be said. The order of the events does not matter. */
export function reviewFacts(events: readonly ReviewEvent[]): ReviewFacts | null {
  const pulls = mergedPulls(events);
  if (pulls.size === 0) return null;
  const waits = [...firstReviews(events, pulls)].map(
    ([number, at]) => (at - (pulls.get(number)?.openedMs ?? at)) / HOUR_MS,
  );
  return { merged: pulls.size, reviewed: waits.length, hoursToReview: median(waits) };
}

/** By number. A pull request is merged once; should two events say so, the earlier counts. */
function mergedPulls(events: readonly ReviewEvent[]): Map<string, Pull> {
  const pulls = new Map<string, Pull>();
  for (const { kind, pull, author, authorType, openedAt, at } of events) {
    if (kind !== "merge" || pull === null || !isPerson(author, authorType)) continue;
    const [openedMs, mergedMs] = [Date.parse(openedAt ?? ""), Date.parse(at ?? "")];
    if (Number.isNaN(openedMs) || Number.isNaN(mergedMs)) continue;
    const known = pulls.get(pull);
    if (known === undefined || mergedMs < known.mergedMs)
      pulls.set(pull, { author, openedMs, mergedMs });
  }
  return pulls;
}

/** When each was first reviewed: by a person, not by its author, after it was opened and before it was merged. */
function firstReviews(
  events: readonly ReviewEvent[],
  pulls: ReadonlyMap<string, Pull>,
): Map<string, number> {
  const first = new Map<string, number>();
  for (const { kind, pull: number, reviewer, reviewerType, at } of events) {
    const pull = pulls.get(number ?? "");
    if (kind !== "review" || number === null || pull === undefined) continue;
    if (!isPerson(reviewer, reviewerType) || reviewer === pull.author) continue;
    const atMs = Date.parse(at ?? "");
    if (!(atMs >= pull.openedMs && atMs <= pull.mergedMs)) continue;
    first.set(number, Math.min(atMs, first.get(number) ?? atMs));
  }
  return first;
}

function isPerson(login: string | null, type: string | null): login is string {
  return login !== null && login !== "" && type !== "Bot" && !isBot(login, "");
}

/** The lower one of two in the middle; null for none. */
function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? null;
}
