/** An organisation on GitHub as the port shows it, in memory: pages with ETags, renames, deletions, a log of deliveries. */
import { createHash } from "node:crypto";
import type { JsonObject } from "../../src/base/json.js";
import type { LoggedDelivery, SourceHost, SourceRepo } from "../../src/job/source-port.js";

export type SourceRepoChange = Partial<SourceRepo>;

export function makeSourceRepo(githubId: number, change: SourceRepoChange = {}): SourceRepo {
  const { host = "github.com", owner = "acme", name = `repo-${githubId}` } = change;
  return {
    host,
    githubId,
    owner,
    name,
    cloneUrl: `https://${host}/${owner}/${name}.git`,
    defaultBranch: "main",
    isPrivate: false,
    isFork: false,
    isArchived: false,
    isDisabled: false,
    sizeKb: 10,
    pushedAt: new Date("2026-06-01T00:00:00Z"),
    updatedAt: new Date("2026-06-01T00:00:00Z"),
    ...change,
  };
}

export interface FakeDelivery extends LoggedDelivery {
  /** Null: GitHub has it no more. */
  readonly body: JsonObject | null;
}

export interface FakeSource extends SourceHost {
  /** By GitHub's id; change it as people would. */
  readonly repos: Map<number, SourceRepo>;
  /** Newest first; "hidden": nobody may read it. */
  log: FakeDelivery[] | "hidden";
  /** What was asked, in order: `list acme 1`, `repo 7`, `log`, `delivery 3`. */
  readonly asked: string[];
  pageSize: number;
  add(...repos: SourceRepo[]): void;
  /** Another name, or another owner: the same repository. */
  rename(githubId: number, change: { owner?: string; name?: string }): void;
}

export function createFakeSource(host = "github.com"): FakeSource {
  const repos = new Map<number, SourceRepo>();
  const asked: string[] = [];
  const source: FakeSource = {
    ...{ host, repos, asked, log: [], pageSize: 100 },
    add: (...added) => {
      for (const repo of added) repos.set(repo.githubId, repo);
    },
    rename: (githubId, change) => {
      const { owner, name } = { ...repos.get(githubId)!, ...change };
      const cloneUrl = `https://${host}/${owner}/${name}.git`;
      repos.set(githubId, { ...repos.get(githubId)!, owner, name, cloneUrl });
    },
    listRepos: async (owner, { page, etag }, signal) => {
      signal.throwIfAborted();
      const number = Number(page ?? "1");
      asked.push(`list ${owner} ${number}`);
      const all = [...repos.values()]
        .filter((repo) => repo.owner.toLowerCase() === owner.toLowerCase())
        .sort((a, b) => (a.name < b.name ? -1 : 1));
      const items = all.slice((number - 1) * source.pageSize, number * source.pageSize);
      const next = all.length > number * source.pageSize ? String(number + 1) : null;
      const tag = createHash("sha256")
        .update(JSON.stringify([items, next]))
        .digest("hex");
      return tag === etag ? "unchanged" : { items, etag: tag, next };
    },
    repo: async (of, signal) => {
      signal.throwIfAborted();
      if (!("githubId" in of)) throw new Error("the fake finds repositories by id alone");
      asked.push(`repo ${of.githubId}`);
      return repos.get(of.githubId) ?? "gone";
    },
    deliveries: async (_, { page }) => {
      asked.push("log");
      if (source.log === "hidden") return "hidden";
      const from = Number(page ?? "0");
      const items = source.log.slice(from, from + source.pageSize);
      const end = from + items.length;
      return { items, next: end < source.log.length ? String(end) : null };
    },
    delivery: async (_, id) => {
      asked.push(`delivery ${id}`);
      const found = source.log === "hidden" ? undefined : source.log.find((one) => one.id === id);
      return found?.body ? { guid: found.guid, event: found.event, body: found.body } : null;
    },
    pulls: async () => ({ items: [], next: null }),
    releases: async () => ({ items: [], next: null }),
    gitCredential: async () => null,
  };
  return source;
}
