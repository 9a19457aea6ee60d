/** What a stand-in organisation answers: addresses, pages, tags of answers and words as GitHub has them. */
import { createHash } from "node:crypto";
import { ok, pageOf, problem } from "./github-answers.js";
import { userObject } from "./github-objects.js";
import type { StandInOrgRepo, StandInOrgRepos } from "./github-org-repos.js";
import type { LoopbackAnswer, LoopbackRequest } from "./loopback.js";

/** A webhook that GitHub sent, and how it went. */
export interface StandInLoggedDelivery {
  readonly guid: string;
  readonly event: string;
  readonly at: Date;
  /** 0: no answer. */
  readonly status: number;
  readonly payload: object;
}

interface StandInOrgState {
  readonly options: {
    readonly org: string;
    readonly hookUrl?: string | null;
    readonly hooksVisible?: boolean;
  };
  readonly repos: StandInOrgRepos;
  readonly deliveries: readonly StandInLoggedDelivery[];
  readonly place: { readonly api: string };
}

type Answer = (request: LoopbackRequest, args: readonly string[]) => LoopbackAnswer;

const HOOK_ID = 77;
const FIRST_DELIVERY_ID = 900_000;
const OUR_DOOR = "https://algobrain.example/webhooks/github";
const NOT_FOUND = problem(404, "Not Found");
const NOT_ALLOWED = problem(403, "Resource not accessible by integration");

/** For whoever is signed in; only GET. */
export function orgRoutes(state: StandInOrgState): (request: LoopbackRequest) => LoopbackAnswer {
  const routes = [...repoRoutes(state), ...hookRoutes(state)];
  return (request) => {
    for (const [pattern, answer] of routes) {
      const found = pattern.exec(decodeURIComponent(request.path));
      if (found) return answer(request, found.slice(1));
    }
    return NOT_FOUND;
  };
}

function repoRoutes(state: StandInOrgState): readonly (readonly [RegExp, Answer])[] {
  const { options, repos, place } = state;
  const isOrg = (login = "") => login.toLowerCase() === options.org.toLowerCase();
  const list = (request: LoopbackRequest, owner: string) =>
    paged(
      request,
      place.api,
      repos.ofOwner(owner).map((repo) => repoObject(repo, place.api)),
    );
  const withId = (id: string, answer: (repo: StandInOrgRepo) => LoopbackAnswer) => {
    const repo = repos.byId(Number(id));
    return repo === null ? NOT_FOUND : answer(repo);
  };
  return [
    [/^\/orgs\/([^/]+)\/repos$/, (req, [o]) => (isOrg(o) ? list(req, o!) : NOT_FOUND)],
    [
      /^\/users\/([^/]+)\/repos$/,
      (req, [o]) => (repos.ofOwner(o!).length > 0 ? list(req, o!) : NOT_FOUND),
    ],
    [/^\/repos\/([^/]+)\/([^/]+)$/, (_, [owner, name]) => named(state, owner!, name!)],
    [
      /^\/repositories\/(\d+)$/,
      (_, [id]) => withId(id!, (repo) => ok(repoObject(repo, place.api))),
    ],
    [
      /^\/repositories\/(\d+)\/(pulls|releases)$/,
      (req, [id, what]) =>
        withId(id!, (repo) => paged(req, place.api, repo[what as "pulls" | "releases"])),
    ],
  ];
}

function named({ repos, place }: StandInOrgState, owner: string, name: string): LoopbackAnswer {
  const found = repos.byName(owner, name);
  if (found === null) return NOT_FOUND;
  if (!found.isFormer) return ok(repoObject(found.repo, place.api));
  const location = `${place.api}/repositories/${found.repo.id}`;
  const body = { message: "Moved Permanently", url: location };
  return { status: 301, headers: { location }, body };
}

function hookRoutes(state: StandInOrgState): readonly (readonly [RegExp, Answer])[] {
  const { options, deliveries, place } = state;
  const { hookUrl = OUR_DOOR } = options;
  const visible =
    (answer: Answer): Answer =>
    (request, args) => {
      if (options.hooksVisible === false) return NOT_ALLOWED;
      return answer(request, args);
    };
  const hook = { id: HOOK_ID, name: "web", active: true, config: { url: hookUrl } };
  const newestFirst = () => deliveries.map(loggedObject).reverse();
  const one: Answer = (_, [id]) => {
    const delivery = deliveries[Number(id) - FIRST_DELIVERY_ID];
    if (delivery === undefined) return NOT_FOUND;
    const logged = loggedObject(delivery, Number(id) - FIRST_DELIVERY_ID);
    return ok({ ...logged, request: { headers: {}, payload: delivery.payload } });
  };
  return [
    [/^\/orgs\/[^/]+\/hooks$/, visible(() => ok(hookUrl === null ? [] : [hook]))],
    [
      /^\/orgs\/[^/]+\/hooks\/77\/deliveries$/,
      visible((request) => paged(request, place.api, newestFirst())),
    ],
    [/^\/orgs\/[^/]+\/hooks\/77\/deliveries\/(\d+)$/, visible(one)],
  ];
}

function loggedObject({ guid, event, at, status }: StandInLoggedDelivery, nth: number) {
  return {
    ...{ id: FIRST_DELIVERY_ID + nth, guid, delivered_at: at.toISOString(), redelivery: false },
    ...{ duration: 0.1, status: status === 200 ? "OK" : "failed", status_code: status, event },
  };
}

/** A page with its tag, or that nothing has changed. */
function paged(request: LoopbackRequest, api: string, all: readonly object[]): LoopbackAnswer {
  const body = pageOf(all, request.query);
  const etag = `W/"${createHash("sha256").update(JSON.stringify(body)).digest("hex")}"`;
  const next = nextLink(request, api, all.length);
  const headers = { etag, ...(next === null ? {} : { link: next }) };
  if (request.headers["if-none-match"] === etag) return { status: 304, headers, body: "" };
  return { ...ok(body), headers };
}

function nextLink({ path, query }: LoopbackRequest, api: string, total: number): string | null {
  const size = Number(query.get("per_page") ?? 30);
  const page = Number(query.get("page") ?? 1);
  if (page * size >= total) return null;
  const next = new URLSearchParams(query);
  next.set("page", String(page + 1));
  return `<${api}${path}?${next}>; rel="next"`;
}

function repoObject(repo: StandInOrgRepo, api: string): Readonly<Record<string, unknown>> {
  const full = `${repo.owner}/${repo.name}`;
  const owner = userObject(repo.owner, { api, name: full, defaultBranch: repo.defaultBranch });
  return {
    ...{ id: repo.id, node_id: "MDA6RW50aXR5MQ==", name: repo.name, full_name: full, owner },
    ...{ private: repo.private, fork: repo.fork, archived: repo.archived, disabled: repo.disabled },
    ...{ size: repo.size, default_branch: repo.defaultBranch, description: null },
    html_url: `https://github.com/${full}`,
    url: `${api}/repos/${full}`,
    clone_url: repo.cloneUrl ?? `${api}/${full}.git`,
    pushed_at: repo.pushedAt?.toISOString() ?? null,
    updated_at: repo.updatedAt.toISOString(),
    visibility: repo.private ? "private" : "public",
  };
}
