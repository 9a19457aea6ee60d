/** Who speaks to a stand-in GitHub: a token, or an app that signs itself in for an hour. */
import { createPublicKey, verify } from "node:crypto";
import { isJsonObject } from "../../base/json.js";
import type { LoopbackAnswer, LoopbackRequest } from "./loopback.js";

export interface StandInApp {
  readonly appId: number;
  readonly installationId: number;
  /** `<slug>[bot]` writes its comments. */
  readonly slug: string;
  /** PEM; only its public half is used. */
  readonly privateKey: string;
}

const TOKEN_MS = 3_600_000;
/** GitHub takes no longer one. */
const JWT_SECONDS_MAX = 600;

export class StandInSignIn {
  readonly #token: string;
  readonly #app: StandInApp | null;
  readonly #installationTokens = new Set<string>();
  readonly #now: () => Date;

  constructor(token: string, app: StandInApp | null, now: () => Date) {
    this.#token = token;
    this.#app = app;
    this.#now = now;
  }

  /** Tokens handed to the app so far. */
  get issued(): number {
    return this.#installationTokens.size;
  }

  /** `token`: a person's. `installation`: the app in this repository. `app`: the app as itself. */
  whoIs({ headers }: LoopbackRequest): "token" | "installation" | "app" | null {
    const [, scheme = "", given = ""] = /^(\w+) (.+)$/.exec(headers.authorization ?? "") ?? [];
    if (given === this.#token && scheme === "token") return "token";
    if (this.#installationTokens.has(given)) return "installation";
    return /^bearer$/i.test(scheme) && this.#isSignedByApp(given) ? "app" : null;
  }

  issue(installationId: number): LoopbackAnswer {
    if (this.#app?.installationId !== installationId) return { status: 404, body: NOT_FOUND };
    const token = `ghs_${this.#installationTokens.size + 1}`;
    this.#installationTokens.add(token);
    const expires_at = new Date(this.#now().getTime() + TOKEN_MS).toISOString();
    const permissions = { contents: "write", pull_requests: "write", metadata: "read" };
    return { status: 201, body: { token, expires_at, permissions, repository_selection: "all" } };
  }

  appObject(): LoopbackAnswer {
    if (this.#app === null) return { status: 404, body: NOT_FOUND };
    const { appId, slug } = this.#app;
    return { status: 200, body: { id: appId, slug, name: slug, node_id: "MDA6RW50aXR5MQ==" } };
  }

  /** RS256 over header and claims, issued by the app, for ten minutes at most. */
  #isSignedByApp(jwt: string): boolean {
    const app = this.#app;
    const [head = "", claims = "", signature = ""] = jwt.split(".");
    if (app === null || signature === "") return false;
    const key = createPublicKey(app.privateKey);
    const signed = Buffer.from(`${head}.${claims}`);
    if (!verify("RSA-SHA256", signed, key, Buffer.from(signature, "base64url"))) return false;
    const said: unknown = JSON.parse(Buffer.from(claims, "base64url").toString("utf8"));
    if (!isJsonObject(said) || Number(said.iss) !== app.appId) return false;
    const leftS = Number(said.exp) - this.#now().getTime() / 1_000;
    return leftS > 0 && leftS <= JWT_SECONDS_MAX;
  }
}

const NOT_FOUND = { message: "Not Found", documentation_url: "https://docs.github.com/rest" };
