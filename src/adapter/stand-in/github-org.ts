/**
 * A stand-in for an organisation on GitHub: its repositories with their renames and deletions, what happened in them,
 * its webhook's log, and GitHub's limits. Tests and demonstrations read it with the real client library.
 */
import { systemClock } from "../../base/clock.js";
import { problem } from "./github-answers.js";
import { StandInGitHubLimits, type StandInLimits } from "./github-limits.js";
import { type NewStandInRepo, type StandInOrgRepo, StandInOrgRepos } from "./github-org-repos.js";
import { orgRoutes, type StandInLoggedDelivery } from "./github-org-routes.js";
import { type StandInApp, StandInSignIn } from "./github-sign-in.js";
import {
  jsonBody,
  type LoopbackAnswer,
  type LoopbackRequest,
  type Misbehaviour,
  startLoopback,
} from "./loopback.js";

export interface StandInOrgOptions {
  /** Login of the organisation. */
  readonly org: string;
  /** A person's token that it accepts. */
  readonly token: string;
  readonly app?: StandInApp;
  /** What the app's installation was granted; others in a request for a token refuse it. Default: whatever is asked for. */
  readonly granted?: readonly string[];
  readonly limits?: StandInLimits;
  /** Where its hook leads; default `https://algobrain.example/webhooks/github`. Null: there is no hook. */
  readonly hookUrl?: string | null;
  /** May the credential read the hooks? Default true. */
  readonly hooksVisible?: boolean;
  readonly now?: () => Date;
}

export interface StandInOrg {
  /** For `GITHUB_API_URL`. */
  readonly url: string;
  readonly limits: StandInGitHubLimits;
  /** `GET /orgs/acme/repos` with the status of its answer, in the order they came. */
  readonly requests: () => readonly string[];
  readonly tokensIssued: () => number;
  repos(): readonly StandInOrgRepo[];
  add(repo: NewStandInRepo): StandInOrgRepo;
  /** By its name of now. The old name leads to the new one from then on. */
  rename(name: string, to: string): void;
  /** To another owner: it leaves the listing, and is found by its id. */
  transfer(name: string, owner: string): void;
  remove(name: string): void;
  change(name: string, change: Partial<Omit<StandInOrgRepo, "id" | "name" | "owner">>): void;
  log(delivery: StandInLoggedDelivery): void;
  misbehave(...next: readonly Misbehaviour[]): void;
  close(): Promise<void>;
}

export async function startStandInOrg(options: StandInOrgOptions): Promise<StandInOrg> {
  const now = options.now ?? (() => systemClock.now());
  const repos = new StandInOrgRepos(options.org, now);
  const limits = new StandInGitHubLimits(options.limits ?? {}, now);
  const signIn = new StandInSignIn(options.token, options.app ?? null, now);
  const deliveries: StandInLoggedDelivery[] = [];
  const place = { api: "" };
  const routes = orgRoutes({ options, repos, deliveries, place });
  const answer = (request: LoopbackRequest): LoopbackAnswer => {
    const who = signIn.whoIs(request);
    if (who === null) return problem(401, "Bad credentials");
    const issued = /^\/app\/installations\/(\d+)\/access_tokens$/.exec(request.path);
    if (issued && who === "app")
      return refusedPermissions(options, request) ?? signIn.issue(Number(issued[1]));
    if (request.method !== "GET" || who === "app") return problem(404, "Not Found");
    return routes(request);
  };
  const loopback = await startLoopback((request) => {
    const { method, path, query } = request;
    const asked = `${method} ${path}${query.size === 0 ? "" : `?${query}`}`;
    return limits.pass(asked, () => answer(request));
  });
  place.api = loopback.url;
  return {
    url: loopback.url,
    limits,
    requests: () => limits.seen.map(({ request, status }) => `${request} ${status}`),
    tokensIssued: () => signIn.issued,
    repos: () => repos.all(),
    add: (repo) => repos.add(repo),
    rename: (name, to) => repos.rename(name, to),
    transfer: (name, owner) => repos.transfer(name, owner),
    remove: (name) => repos.remove(name),
    change: (name, change) => repos.change(name, change),
    log: (delivery) => void deliveries.push(delivery),
    misbehave: loopback.misbehave,
    close: loopback.close,
  };
}

function refusedPermissions(
  { granted }: StandInOrgOptions,
  request: LoopbackRequest,
): LoopbackAnswer | null {
  const wanted = Object.keys(jsonBody(request)?.permissions ?? {});
  if (granted === undefined || wanted.every((one) => granted.includes(one))) return null;
  return problem(422, "The permissions requested are not granted to this installation.");
}
