/**
 * The repositories of an organisation or user, page by page, as GitHub lists them. Each page is asked for with the
 * ETag of the last time: an unchanged one costs nothing of the request budget and is read from the database
 * (docs.github.com/rest: conditional requests). Pages follow one another, since GitHub asks callers not to read
 * in parallel.
 */
import { fault } from "../base/fault.js";
import { isJsonObject, type Json, type JsonObject } from "../base/json.js";
import type { JobContext } from "../job/port.js";
import type { SourceHost, SourcePage, SourceRepo } from "../job/source-port.js";
import type { Sql } from "../store/database.js";
import { dropOtherPages, findPage, putPage, type StoredPage } from "../store/github-pages.js";

export interface ListedPage {
  readonly repos: readonly SourceRepo[];
  readonly isUnchanged: boolean;
  /** When it was asked for. */
  readonly seenAt: Date;
}

interface ListingDeps {
  readonly db: Sql;
  readonly source: SourceHost;
}

/** Of 100 repositories each: an owner with more has never been seen, a listing without an end may be. */
const PAGES_MAX = 5_000;
/** Raised when what is kept of a page changes, so that pages of before are asked for anew. */
const FORM = "v1";

/** Ends only when every page was answered. `full`: as if nothing was kept. */
export async function* readListing(
  { db, source }: ListingDeps,
  owner: string,
  options: { readonly full: boolean },
  { signal, now }: Pick<JobContext, "signal" | "now">,
): AsyncGenerator<ListedPage> {
  const prefix = `${FORM} ${source.host}/${owner.toLowerCase()} `;
  const keys: string[] = [];
  for (let page: string | null = null; ; ) {
    const key: string = prefix + (page ?? "first");
    if (keys.length === PAGES_MAX || keys.includes(key)) throw endless(owner, keys.length);
    keys.push(key);
    const seenAt = now();
    const kept = options.full ? null : await findPage(db, key);
    const answer = await source.listRepos(owner, { page, etag: kept?.etag ?? null }, signal);
    const read = answer === "unchanged" ? unchangedPage(kept, owner) : answer;
    if (answer !== "unchanged" && answer.etag !== null)
      await putPage(db, key, { ...toStored(answer), etag: answer.etag });
    yield { repos: read.items, isUnchanged: answer === "unchanged", seenAt };
    page = read.next;
    if (page === null) break;
  }
  await dropOtherPages(db, prefix, keys);
}

function unchangedPage(kept: StoredPage | null, owner: string): Omit<SourcePage, "etag"> {
  if (kept !== null && Array.isArray(kept.items))
    return { items: kept.items.filter(isJsonObject).map(fromStored), next: kept.next };
  throw fault.transient(
    "GITHUB_FAILED",
    `GitHub answered "not modified" for repositories of ${owner}, but no earlier answer is kept`,
  );
}

function toStored({ items, next }: SourcePage): Omit<StoredPage, "etag"> {
  const rows = items.map(({ pushedAt, updatedAt, ...rest }): JsonObject => {
    return {
      ...rest,
      pushedAt: pushedAt?.toISOString() ?? null,
      updatedAt: updatedAt.toISOString(),
    };
  });
  return { items: rows as Json, next };
}

/** Written by `toStored` of the same form alone. */
function fromStored(row: JsonObject): SourceRepo {
  const { pushedAt, updatedAt, ...rest } = row as JsonObject & {
    readonly pushedAt: string | null;
    readonly updatedAt: string;
  };
  return {
    ...(rest as unknown as Omit<SourceRepo, "pushedAt" | "updatedAt">),
    pushedAt: pushedAt === null ? null : new Date(pushedAt),
    updatedAt: new Date(updatedAt),
  };
}

function endless(owner: string, pages: number) {
  return fault.data(
    "GITHUB_LISTING_ENDLESS",
    `GitHub lists the repositories of ${owner} without an end: ${pages} pages were read, expected fewer than ${PAGES_MAX} and none twice`,
    {
      hint: "ask again later; if it stays so, tell GitHub's support, and index the clones of a folder",
    },
  );
}
