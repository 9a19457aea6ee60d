/** `doctor` on a real database and a stand-in for GitHub: what is well, what is not, and what it notes for automation. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type StandInGitHub, startStandInGitHub } from "../../src/adapter/stand-in/github.js";
import { readProtection } from "../../src/store/protection.js";
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from "../support/database.js";
import { withHome } from "../support/service-home.js";
import { cli } from "./support.js";

const REPO = "acme/policies";
const TOKEN = "ghp_doctor";
const PROTECTED = {
  required_pull_request_reviews: {
    required_approving_review_count: 1,
    require_code_owner_reviews: true,
    dismiss_stale_reviews: true,
  },
  required_status_checks: { strict: true, contexts: ["check"] },
  enforce_admins: { enabled: true },
  allow_force_pushes: { enabled: false },
  allow_deletions: { enabled: false },
};

let lent: TestDatabase;
let github: StandInGitHub;
beforeAll(async () => {
  lent = await createTestDatabase();
  github = await startStandInGitHub({ repository: REPO, token: TOKEN, files: { "a.txt": "a" } });
});
afterAll(async () => {
  await github.close();
  await lent.drop();
});

interface Report {
  readonly ok: boolean;
  readonly diagnoses: readonly { what: string; status: string; found: string; remedy: string }[];
}

async function examine(
  env: Record<string, string>,
): Promise<{ code: number | null; report: Report }> {
  let answer = { code: null as number | null, report: { ok: false, diagnoses: [] } as Report };
  await withHome(async (home) => {
    const all = {
      DATABASE_URL: lent.url,
      ALGOBRAIN_HOME: home,
      PATH: process.env.PATH ?? "",
      ...env,
    };
    const { code, out } = await cli(["doctor", "--json"], { env: all });
    answer = { code, report: JSON.parse(out) as Report };
  });
  return answer;
}

const ill = ({ diagnoses }: Report) =>
  diagnoses.filter(({ status }) => status === "fail").map(({ what }) => what);
const gitops = () => ({ GITOPS_REPO: REPO, GITHUB_TOKEN: TOKEN, GITHUB_API_URL: github.url });

describe("doctor", () => {
  test("finds nothing ill on a machine of its own", async () => {
    const { code, report } = await examine({});
    expect({ code, ill: ill(report) }).toEqual({ code: 0, ill: [] });
    expect(report.diagnoses.map(({ what }) => what)).toEqual([
      ...["database", "migrations", "clock", "roles", "rights"],
      ...["Node.js", "git", "disk", "policies", "repository"],
    ]);
  });

  test("shows a line for each, with the remedy below what it found", async () => {
    await withHome(async (home) => {
      const env = { DATABASE_URL: lent.url, ALGOBRAIN_HOME: home, PATH: process.env.PATH ?? "" };
      const { out } = await cli(["doctor"], { env });
      expect(out).toMatch(/^ok {4}git {9}\d/m);
      expect(out).toMatch(
        /^warn {2}policies {4}valid, but .*cannot be told.*\n {18}→ set SLACK_BOT_TOKEN/m,
      );
    });
  });

  test("says which database does not answer, and looks at all the rest", async () => {
    const { code, report } = await examine({
      DATABASE_URL: "postgresql://ann:hunter2@127.0.0.1:1/none",
    });
    expect(code).toBe(1);
    expect(ill(report)).toEqual(["database", "migrations", "clock", "roles", "rights"]);
    expect(JSON.stringify(report)).not.toContain("hunter2");
  });

  test("says what a database lacks, and still looks at the branch, though it cannot note that", async () => {
    const empty = await createEmptyDatabase();
    github.setProtection(PROTECTED);
    const { report } = await examine({ ...gitops(), DATABASE_URL: empty.url });
    await empty.drop();
    expect(ill(report)).toEqual(["migrations"]);
    expect(report.diagnoses.at(-1)).toMatchObject({
      ...{ what: "branch protection", status: "ok" },
      found: expect.stringContaining("could not be noted"),
    });
  });

  test.each([
    ["answers", "/jwks.json", true],
    ["has no keys where it should", "/keys", false],
  ])("asks an identity provider that %s", async (_, path, isWell) => {
    // Whoever answers 200 there will do: what the keys are worth, tokens show.
    const oidc = createServer((request, response) => {
      response.statusCode = request.url === "/jwks.json" ? 200 : 404;
      response.end("{}");
    }).listen(0, "127.0.0.1");
    await once(oidc, "listening");
    const { port } = oidc.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}`;
    const names = { OIDC_ISSUER: url, OIDC_AUDIENCE: "algobrain", OIDC_JWKS_URL: `${url}${path}` };
    const { report } = await examine(names);
    oidc.close();
    expect(ill(report)).toEqual(isWell ? [] : ["identity provider"]);
  });

  test("names the credentials that are missing", async () => {
    const { code, report } = await examine({ GITOPS_REPO: REPO });
    expect(code).toBe(1);
    expect(report.diagnoses.at(-1)).toMatchObject({
      what: "repository",
      remedy: expect.stringContaining("GITHUB_TOKEN"),
    });
  });
});

describe("branch protection", () => {
  test("that is on is noted, so that automation may start", async () => {
    github.setProtection(PROTECTED);
    const { code, report } = await examine(gitops());
    expect({ code, ill: ill(report) }).toEqual({ code: 0, ill: [] });
    expect(await readProtection(lent.db, REPO)).toMatchObject({ verdict: "on", branch: "main" });
  });

  test.each([
    ["is not there", null, "off", "changes need no pull request"],
    ["may not be seen", "hidden", "unknown", "not known for main"],
    [
      "lets admins past",
      { ...PROTECTED, enforce_admins: { enabled: false } },
      "off",
      "administrators",
    ],
  ] as const)("that %s fails, and is noted as well", async (_, protection, verdict, found) => {
    github.setProtection(protection);
    const { code, report } = await examine(gitops());
    expect({ code, ill: ill(report) }).toEqual({ code: 1, ill: ["branch protection"] });
    expect(report.diagnoses.at(-1)?.found).toContain(found);
    expect(await readProtection(lent.db, REPO)).toMatchObject({ verdict });
  });
});
