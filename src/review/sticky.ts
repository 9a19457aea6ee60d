/**
 * One comment a concern on a pull request, found again by a hidden marker in its first line and by its author, and
 * written only when what it says has changed.
 */
import { createHash } from "node:crypto";
import type { PullRequestComment } from "./port.js";

export interface StickyPlan {
  readonly create: string | null;
  readonly update: { readonly id: number; readonly body: string } | null;
  /** Older copies of ours: two runs at the same time have made them. */
  readonly delete: readonly number[];
  readonly unchanged: boolean;
  /** The one of ours that stays; null: there is none yet. */
  readonly kept: number | null;
}

export interface StickyComment {
  /** `policy`: one comment for each. */
  readonly key: string;
  readonly body: string;
  /** Who we are in comments. */
  readonly author: string;
}

/** Anyone can write our marker into a comment, so the author counts too: ourselves, and the workflow's own token. */
const WORKFLOW = "github-actions[bot]";
const MARKER = /^<!-- algobrain:([a-z0-9-]+) v1 sha256=([0-9a-f]{64}) -->/;

/** `existing` oldest first: of several that are ours, the oldest stays, because people have linked to it. */
export function planSticky(
  existing: readonly PullRequestComment[],
  { key, body, author }: StickyComment,
): StickyPlan {
  const marked = withMarker(key, body);
  const ours = existing.filter((comment) => isOurs(comment, key, author));
  const [kept, ...copies] = ours;
  const unchanged = kept !== undefined && markerOf(kept.body)?.digest === digestOf(body);
  return {
    create: kept === undefined ? marked : null,
    update: kept === undefined || unchanged ? null : { id: kept.id, body: marked },
    delete: copies.map(({ id }) => id),
    unchanged,
    kept: kept?.id ?? null,
  };
}

function isOurs(comment: PullRequestComment, key: string, author: string): boolean {
  const authors = [author, WORKFLOW].map((name) => name.toLowerCase());
  return markerOf(comment.body)?.key === key && authors.includes(comment.author.toLowerCase());
}

function withMarker(key: string, body: string): string {
  return `<!-- algobrain:${key} v1 sha256=${digestOf(body)} -->\n${body}`;
}

function markerOf(body: string): { key: string; digest: string } | null {
  const [, key, digest] = MARKER.exec(body) ?? [];
  return key === undefined || digest === undefined ? null : { key, digest };
}

function digestOf(body: string): string {
  return createHash("sha256").update(body).digest("hex");
}
