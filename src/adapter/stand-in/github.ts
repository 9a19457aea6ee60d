/**
 * A stand-in for one repository on GitHub: tests and demonstrations talk to it with the real client library. It
 * refuses what GitHub refuses, in GitHub's words, since ours acts on some of them.
 */
import { systemClock } from "../../base/clock.js";
import { ok, problem, type StandInGitHubState, type StandInRoute } from "./github-answers.js";
import { StandInCommits } from "./github-commits.js";
import { gitRoutes } from "./github-git-routes.js";
import { addIssue, issueRoutes } from "./github-issue-routes.js";
import {
  repositoryObject,
  type StandInComment,
  type StandInIssue,
  userObject,
} from "./github-objects.js";
import { addComment, pullRoutes } from "./github-pull-routes.js";
import { StandInPulls } from "./github-pulls.js";
import { type StandInApp, StandInSignIn } from "./github-sign-in.js";
import {
  type GitHubDelivery,
  type GitHubSubscription,
  StandInGitHubWebhooks,
} from "./github-webhooks.js";
import {
  type LoopbackAnswer,
  type LoopbackRequest,
  type Misbehaviour,
  startLoopback,
} from "./loopback.js";

export interface StandInGitHubOptions {
  /** `owner/name`. */
  readonly repository: string;
  /** A person's token that it accepts. */
  readonly token: string;
  /** Login of the token's owner; null: a workflow's token, which may not ask who it is. Default `ann`. */
  readonly login?: string | null;
  readonly app?: StandInApp;
  /** What the default branch `main` holds. */
  readonly files: Readonly<Record<string, string>>;
  readonly webhook?: GitHubSubscription;
  readonly now?: () => Date;
}

export interface StandInGitHub {
  /** For `GITHUB_API_URL`. */
  readonly url: string;
  /** `POST /repos/acme/shop/pulls`, in the order they came, also those that were refused. */
  readonly requests: readonly string[];
  readonly pulls: StandInPulls;
  readonly commits: StandInCommits;
  readonly comments: () => readonly StandInComment[];
  readonly issues: () => readonly StandInIssue[];
  readonly deliveries: () => readonly GitHubDelivery[];
  /** To the app, so far. */
  readonly tokensIssued: () => number;
  /** As another person or program writes it. */
  addComment(pull: number, author: string, body: string): void;
  /** As another person or program opens it. */
  addIssue(author: string, body: string): void;
  /** Body of `GET …/protection`; null: not protected; `hidden`: 403. */
  setProtection(protection: object | null | "hidden"): void;
  /** Body of `GET …/rules/branches/…`, and the rulesets by id that it names. */
  setRules(rules: readonly object[], rulesets?: Readonly<Record<number, object>>): void;
  /** 403 to whatever writes. */
  setReadOnly(readOnly: boolean): void;
  subscribe(webhook: GitHubSubscription): void;
  /** All webhooks so far have been answered. */
  settled(): Promise<void>;
  misbehave(...next: readonly Misbehaviour[]): void;
  close(): Promise<void>;
}

export async function startStandInGitHub(options: StandInGitHubOptions): Promise<StandInGitHub> {
  const webhooks = new StandInGitHubWebhooks(options.webhook ?? null);
  const state = makeState(options, webhooks);
  const server = new Server(options, state);
  const loopback = await startLoopback((request) => server.handle(request));
  state.place = { ...state.place, api: loopback.url };
  return {
    url: loopback.url,
    requests: server.requests,
    pulls: state.pulls,
    commits: state.commits,
    comments: () => state.comments,
    issues: () => state.issues,
    deliveries: () => webhooks.deliveries,
    tokensIssued: () => server.signIn.issued,
    addComment: (pull, author, body) => void addComment(state, pull, author, body),
    addIssue: (author, body) => void addIssue(state, { title: "An issue", body, author }),
    setProtection: (protection) => {
      server.protection = protection;
    },
    setRules: (rules, rulesets = {}) => {
      server.rules = rules;
      server.rulesets = rulesets;
    },
    setReadOnly: (readOnly) => {
      server.readOnly = readOnly;
    },
    subscribe: (webhook) => webhooks.subscribe(webhook),
    settled: () => webhooks.settled(),
    misbehave: loopback.misbehave,
    close: async () => {
      await webhooks.close();
      await loopback.close();
    },
  };
}

const WORKFLOW = "github-actions[bot]";
const MAIN = "main";

function makeState(
  options: StandInGitHubOptions,
  webhooks: StandInGitHubWebhooks,
): StandInGitHubState {
  const now = options.now ?? (() => systemClock.now());
  const commits = new StandInCommits();
  const blobs = Object.entries(options.files).map(
    ([path, text]) => [path, commits.addBlob(text)] as const,
  );
  const tree = commits.addTree(new Map(blobs));
  const first = commits.addCommit({ tree, parents: [], message: "first", at: now() });
  commits.setBranch(MAIN, first.sha);
  const state: StandInGitHubState = {
    ...{ commits, now, comments: [], issues: [] },
    me: options.app ? `${options.app.slug}[bot]` : (loginOf(options) ?? WORKFLOW),
    place: { api: "", name: options.repository, defaultBranch: MAIN },
    pulls: new StandInPulls({
      ...{ commits, now },
      send: (event, payload) => webhooks.send(event, payload),
      place: () => state.place,
    }),
  };
  return state;
}

function loginOf({ login }: StandInGitHubOptions): string | null {
  return login === undefined ? "ann" : login;
}

/** Every answer of GitHub's has them. */
const LIMITS = {
  "x-ratelimit-limit": "5000",
  "x-ratelimit-remaining": "4999",
  "x-ratelimit-reset": "1893456000",
};
const NOT_ALLOWED = "Resource not accessible by integration";

class Server {
  readonly requests: string[] = [];
  readonly signIn: StandInSignIn;
  readonly #options: StandInGitHubOptions;
  readonly #state: StandInGitHubState;
  readonly #routes: readonly (readonly [string, RegExp, StandInRoute[2]])[];
  protection: object | null | "hidden" = null;
  rules: readonly object[] = [];
  rulesets: Readonly<Record<number, object>> = {};
  readOnly = false;

  constructor(options: StandInGitHubOptions, state: StandInGitHubState) {
    this.#options = options;
    this.#state = state;
    this.signIn = new StandInSignIn(options.token, options.app ?? null, state.now);
    const routes = [
      ...this.#ownRoutes(),
      ...gitRoutes(state),
      ...pullRoutes(state),
      ...issueRoutes(state),
    ];
    const ofRepository = routes.map(
      ([method, pattern, answer]) =>
        [method, new RegExp(`^/repos/${options.repository}${pattern}$`), answer] as const,
    );
    this.#routes = [
      ["GET", /^\/user$/, () => this.#user()],
      ["GET", /^\/app$/, () => this.signIn.appObject()],
      ["POST", /^\/app\/installations\/(\d+)\/access_tokens$/, (_, [id]) => this.#signIn(id!)],
      ...ofRepository,
    ];
  }

  handle(request: LoopbackRequest): LoopbackAnswer {
    this.requests.push(`${request.method} ${request.path}`);
    const answer = this.#answer(request);
    return { ...answer, headers: { ...LIMITS, ...answer.headers } };
  }

  #answer(request: LoopbackRequest): LoopbackAnswer {
    const who = this.signIn.whoIs(request);
    if (who === null) return problem(401, "Bad credentials");
    const { method } = request;
    const path = decodeURIComponent(request.path);
    const forApp = path === "/app" || path.startsWith("/app/");
    const route = this.#routes.find(([verb, pattern]) => verb === method && pattern.test(path));
    if (!route || (who === "app") !== forApp) return problem(404, "Not Found");
    if (this.readOnly && method !== "GET" && !forApp) return problem(403, NOT_ALLOWED);
    const [, pattern, answer] = route;
    return answer(request, pattern.exec(path)!.slice(1));
  }

  #ownRoutes(): readonly StandInRoute[] {
    return [
      ["GET", "", () => ok(repositoryObject(this.#state.place))],
      ["GET", "/branches/([^/]+)/protection", () => this.#protection()],
      ["GET", "/rules/branches/([^/]+)", () => ok(this.rules)],
      ["GET", "/rulesets/(\\d+)", (_, [id]) => this.#ruleset(Number(id))],
    ];
  }

  #signIn(installation: string): LoopbackAnswer {
    return this.signIn.issue(Number(installation));
  }

  #user(): LoopbackAnswer {
    const login = loginOf(this.#options);
    return login === null ? problem(403, NOT_ALLOWED) : ok(userObject(login, this.#state.place));
  }

  #protection(): LoopbackAnswer {
    if (this.protection === null) return problem(404, "Branch not protected");
    return this.protection === "hidden" ? problem(403, NOT_ALLOWED) : ok(this.protection);
  }

  #ruleset(id: number): LoopbackAnswer {
    const found = this.rulesets[id];
    return found ? ok(found) : problem(404, "Not Found");
  }
}
