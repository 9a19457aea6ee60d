/** What a stand-in GitHub answers with, and what it knows while it does. */
import type { StandInCommits } from "./github-commits.js";
import type { StandInComment, StandInIssue, StandInPlace } from "./github-objects.js";
import type { StandInPulls } from "./github-pulls.js";
import type { LoopbackAnswer, LoopbackRequest } from "./loopback.js";

/** The state that the routes read and change. */
export interface StandInGitHubState {
  readonly commits: StandInCommits;
  readonly pulls: StandInPulls;
  readonly now: () => Date;
  /** Who writes, over HTTP. */
  readonly me: string;
  place: StandInPlace;
  comments: StandInComment[];
  issues: StandInIssue[];
}

/** Method, pattern of the path below `/repos/owner/name`, and what answers with the groups of the pattern. */
export type StandInRoute = readonly [
  method: string,
  pattern: string,
  answer: (request: LoopbackRequest, args: readonly string[]) => LoopbackAnswer,
];

const DOCUMENTATION = "https://docs.github.com/rest";

export const ok = (body: unknown): LoopbackAnswer => ({ status: 200, body });
export const created = (body: unknown): LoopbackAnswer => ({ status: 201, body });

export function problem(status: number, message: string): LoopbackAnswer {
  return { status, body: { message, documentation_url: DOCUMENTATION } };
}

/** `Validation Failed`, and in which way. */
export function invalid(resource: string, code: string, message: string): LoopbackAnswer {
  const errors = [{ resource, code, message }];
  const body = { message: "Validation Failed", errors, documentation_url: DOCUMENTATION };
  return { status: 422, body };
}

export function pageOf<T>(items: readonly T[], query: URLSearchParams): T[] {
  const size = Number(query.get("per_page") ?? 30);
  const number = Number(query.get("page") ?? 1);
  return items.slice((number - 1) * size, number * size);
}
