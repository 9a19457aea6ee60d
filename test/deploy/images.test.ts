/** The Dockerfile and the compose file by our own linter: what stands, and that each of its rules can fail. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { load, YAML11_SCHEMA } from "js-yaml";
import { describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..", "..");
const LINT = join(ROOT, "scripts", "infra", "lint-docker.mjs");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const { lintDockerfile, lintCompose } = (await import(LINT)) as {
  lintDockerfile(text: string): string[];
  lintCompose(text: string): string[];
};

const DOCKERFILE = read("infra/docker/Dockerfile");
const COMPOSE = read("infra/docker/docker-compose.prod.yml");

interface ComposeFile {
  readonly services: Record<string, { readonly build?: { readonly target: string } }>;
}

test("HB-cli-05: the compose file parses, and has the five services and the executor", () => {
  const { services } = load(COMPOSE, { schema: YAML11_SCHEMA }) as ComposeFile;
  expect(Object.keys(services).sort()).toEqual(
    ["api", "executor", "orchestrator", "postgres", "redis", "workers"].sort(),
  );
  for (const name of ["api", "orchestrator", "workers", "executor"])
    expect(services[name]?.build?.target).toBe(name);
});

test("the database of one machine is Aurora's version, which the images' pg_dump can read (RB-13)", () => {
  const server = /postgres:(\d+)\.\d+-bookworm@/.exec(COMPOSE)?.[1];
  const aurora = /engine: "(\d+)\.\d+"/.exec(read("policies/algobrain/infrastructure.yaml"))?.[1];
  expect(server).toBe(aurora);
  // Debian's own client, which is 15 in bookworm (packages.debian.org/bookworm/postgresql-client).
  expect(DOCKERFILE).toMatch(/^ARG NODE_IMAGE=\S*bookworm/m);
  expect(Number(server)).toBeLessThanOrEqual(15);
});

test("our linter finds nothing in what stands", () => {
  const { status, stdout } = spawnSync(process.execPath, [LINT], { encoding: "utf8" });
  expect(stdout).toBe("");
  expect(status).toBe(0);
});

describe("what the linter finds in a Dockerfile", () => {
  const PIN = `@sha256:${"a".repeat(64)}`;
  test.each([
    ["latest", DOCKERFILE.replace(/^ARG NODE_IMAGE=.*$/m, "ARG NODE_IMAGE=node:latest"), "latest"],
    ["no digest", DOCKERFILE.replace(/@sha256:[0-9a-f]{64}/, ""), "expected a digest"],
    ["half a digest", DOCKERFILE.replace(/([0-9a-f]{60})[0-9a-f]{4}/, "$1"), "expected a digest"],
    ["root", DOCKERFILE.replaceAll("USER 10001:10001", "USER 0:0"), "runs as 0:0"],
    ["a name as user", DOCKERFILE.replaceAll("USER 10001:10001", "USER node"), "runs as node"],
    ["ADD", DOCKERFILE.replace("COPY . .", "ADD . ."), "use COPY"],
    ["a secret as argument", `${DOCKERFILE}\nARG NPM_TOKEN\n`, "ARG NPM_TOKEN"],
    ["a secret in a setting", `${DOCKERFILE}\nENV A=1 JWT_SECRET=x\n`, "ENV JWT_SECRET"],
    ["a shell around the program", `${DOCKERFILE}\nCMD node serve\n`, "words of a shell"],
    ["no health check", `FROM node:22${PIN} AS a\nUSER 1\nENTRYPOINT ["node"]\n`, "no HEALTHCHECK"],
    ["a download that is run", `${DOCKERFILE}\nRUN curl -s x | sh\n`, "into a shell"],
  ])("%s", (_what, text, said) => {
    expect(lintDockerfile(text).join("\n")).toContain(said);
  });

  test("not what only builds: its user and its health are nobody's", () => {
    const text = `FROM node:22${PIN} AS build\nRUN make\nFROM node:22${PIN} AS run\nCOPY --from=build /a /a\nUSER 10001\nENTRYPOINT ["a"]\nHEALTHCHECK CMD ["b"]\n`;
    expect(lintDockerfile(text)).toEqual([]);
  });
});

describe("what the linter finds in a compose file", () => {
  test.each([
    ["a tag that moves", COMPOSE.replace(/postgres:15\S+/, "postgres:15"), "expected a digest"],
    ["logs without end", COMPOSE.replace("max-file:", "other:"), "its log has no end"],
    ["logs of one endless file", COMPOSE.replace("max-size:", "other:"), "its log has no end"],
    ["processes without end", COMPOSE.replace("pids_limit:", "other:"), "pids_limit"],
    [
      "our images called latest",
      COMPOSE.replace(/algobrain-api:\S+.*/, "algobrain-api:latest"),
      "expected the commit",
    ],
    [
      "a commit that may be missing",
      COMPOSE.replace(/algobrain-api:\$\{IMAGE_TAG:\?.*/, "algobrain-api:$" + "{IMAGE_TAG}"),
      "a refusal without one",
    ],
    ["an open port", COMPOSE.replace("127.0.0.1:3001:3001", "3001:3001"), "open to the world"],
    [
      "a writable file system",
      COMPOSE.replaceAll("read_only: true", "read_only: false"),
      "written to",
    ],
    ["capabilities", COMPOSE.replaceAll("cap_drop: [ALL]", "cap_drop: []"), "capabilities"],
    [
      "a password as a setting",
      COMPOSE.replace(
        "POSTGRES_PASSWORD_FILE: /run/secrets/postgres-password",
        "POSTGRES_PASSWORD: x",
      ),
      "POSTGRES_PASSWORD stands",
    ],
    [
      "the engine's socket",
      COMPOSE.replace("api-home:/var/lib/algobrain", "/var/run/docker.sock:/s"),
      "the engine itself",
    ],
  ])("%s", (_what, text, said) => {
    expect(lintCompose(text).join("\n")).toContain(said);
  });
});

test("a secret cannot get into the build: its folder, keys and state are left out of it, and out of Git", () => {
  const ignored = read(".dockerignore").split("\n");
  for (const line of [
    "infra/docker/secrets/",
    "**/*.pem",
    "**/.env*",
    "**/*.tfstate*",
    "node_modules/",
  ])
    expect(ignored).toContain(line);
  const file = "infra/docker/secrets/JWT_SECRET";
  expect(execFileSync("git", ["check-ignore", file], { cwd: ROOT, encoding: "utf8" })).toContain(
    file,
  );
});

test("the secrets of a machine are made once, are kept, fit each other, and are never printed", () => {
  const folder = join(mkdtempSync(join(tmpdir(), "algobrain-secrets-")), "secrets");
  const make = () =>
    execFileSync(process.execPath, [join(ROOT, "infra/docker/make-secrets.mjs"), folder], {
      encoding: "utf8",
    });
  const said = make();
  const values = () =>
    Object.fromEntries(
      readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "utf8").trim()]),
    );
  const first = values();
  expect(make()).toBe(said.replaceAll("made", "kept"));
  expect(values()).toEqual(first);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(new URL(first.DATABASE_URL!).password).toBe(first["postgres-password"]);
  expect(first["redis.conf"]).toContain(`requirepass ${new URL(first.REDIS_URL!).password}\n`);
  expect(first.JWT_SECRET!.length).toBeGreaterThanOrEqual(64);
  for (const value of Object.values(first)) expect(said).not.toContain(value.split("\n")[0]);
  rmSync(join(folder, ".."), { recursive: true });
});
