/** The steps of the image's build, run in a clean folder where no container engine runs; and what it gives, started. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { withDatabase } from "../support/database.js";
import { freePort, kill } from "../support/redis-server.js";
import { until } from "../support/until.js";

const ROOT = join(import.meta.dirname, "..", "..");
const DOCKERFILE = readFileSync(join(ROOT, "infra/docker/Dockerfile"), "utf8");
const STEP_MS = 240_000;

let scratch: string;
/** What the first stage works in, and what it hands on. */
let build: string;
let app: string;

describe("the image's build", () => {
  beforeAll(() => {
    // Not where the tests keep what is small: that may be in memory, and this is a gigabyte.
    scratch = mkdtempSync("/var/tmp/algobrain-image-");
    build = join(scratch, "build");
    app = join(scratch, "app");
    copyContext();
    for (const step of stepsOfBuild()) run(step);
  }, 2 * STEP_MS);
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  test("hands on what runs and nothing else: no history, no tests, no sources, no tools", () => {
    expect(readdirSync(app).sort()).toEqual(
      [
        "LICENSE",
        "bin",
        "dist",
        "infra",
        "node_modules",
        "package.json",
        "policies",
        "runbooks",
        "src",
      ].sort(),
    );
    expect(readdirSync(join(app, "src"))).toEqual(["db"]);
    expect(readdirSync(join(app, "runbooks"))).toEqual(["catalogue.yaml"]);
    for (const tool of ["vitest", "cdktf", "@cdktf/provider-aws", "@biomejs/biome", "fast-check"])
      expect(existsSync(join(app, "node_modules", tool)), tool).toBe(false);
    // Who wrote each runbook is known from the history, which stays behind.
    expect(readFileSync(join(app, "dist/runbooks/authors.json"), "utf8")).toContain("@");
  });

  test("says which version it is, and knows its runbooks", () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    expect(program("--version").stdout.trim()).toBe(version);
    expect(program("runbook", "list").stdout).toContain("preflight-check");
    expect(program("policy", "check").status).toBe(0);
  });

  test("has no part of synthesis, and says so", () => {
    const { status, stderr } = program("synth");
    expect(status).toBe(1);
    expect(stderr).toContain("synthesis is not installed here");
  });

  test("serves the API with secrets from files, and is healthy by its own check", () =>
    withDatabase((_, url) => serveWith(url)));
});

async function serveWith(url: string): Promise<void> {
  const secrets = join(scratch, "secrets");
  mkdirSync(secrets);
  writeFileSync(join(secrets, "DATABASE_URL"), `${url}\n`);
  writeFileSync(join(secrets, "JWT_SECRET"), `${"s".repeat(64)}\n`);
  const port = await freePort();
  const env = {
    ...{
      PATH: process.env.PATH,
      HOME: scratch,
      TMPDIR: join(scratch, "tmp"),
      SECRETS_DIR: secrets,
    },
    ...{
      ALGOBRAIN_ENV: "production",
      ALGOBRAIN_HOME: join(scratch, "home"),
      DATABASE_SSL: "false",
    },
    ...{ HOST: "127.0.0.1", PORT: String(port), ALGOBRAIN_COMMIT: "a".repeat(40) },
  };
  mkdirSync(env.TMPDIR);
  const health = () =>
    spawnSync(process.execPath, [join(app, "infra/docker/health.mjs")], { env, encoding: "utf8" });
  // Nothing runs yet: a check that cannot fail tells nothing.
  expect(health().status).toBe(1);
  const api = spawn(process.execPath, ["infra/docker/entry.mjs", "serve", "--role", "api"], {
    ...{ cwd: app, env, stdio: ["ignore", "pipe", "pipe"] },
  });
  try {
    await untilServing(api, port);
    expect(health()).toMatchObject({ status: 0, stderr: "" });
    // What it wrote is outside of the folder that is read-only in the image.
    expect(readdirSync(app)).not.toContain(".algobrain");
  } finally {
    await kill(api);
  }
  expect(health().status).toBe(1);
}

/** What `COPY . .` sees: the files of the repository as they are here, without what .dockerignore names. */
function copyContext(): void {
  const listed = execFileSync(
    "git",
    ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    {
      ...{ cwd: ROOT, encoding: "utf8", maxBuffer: 16 * 1024 * 1024 },
    },
  );
  const left = readFileSync(join(ROOT, ".dockerignore"), "utf8")
    .split("\n")
    .filter((line) => line.endsWith("/") && !line.startsWith("#"));
  const files = listed.split("\0").filter((file) => file !== "" && existsSync(join(ROOT, file)));
  for (const file of files.filter((one) => !left.some((folder) => one.startsWith(folder))))
    cpSync(join(ROOT, file), join(build, file));
  // As a clone has it: a work tree's `.git` is a file that points elsewhere.
  execFileSync("git", ["clone", "--quiet", "--bare", "--shared", ROOT, join(build, ".git")]);
  execFileSync("git", ["-C", build, "config", "core.bare", "false"]);
}

/** Of the operating system and of Amazon's authorities: what a clean folder here neither needs nor may fetch. */
const FROM_OUTSIDE = /^apt-get|fetch-authorities/;

/** The RUN steps of the first stage, but for those. */
function stepsOfBuild(): string[] {
  const [, stage] = /^FROM \S+ AS build\n([\s\S]*?)^FROM /m.exec(DOCKERFILE) ?? [];
  const steps = [...(stage ?? "").matchAll(/^RUN (.+)$/gm)].map(([, step]) => step!);
  expect(steps.filter((step) => FROM_OUTSIDE.test(step))).toHaveLength(2);
  const ours = steps.filter((step) => !FROM_OUTSIDE.test(step));
  expect(ours.length).toBeGreaterThanOrEqual(4);
  return ours.map((step) => step.replace(" /app", ` ${app}`));
}

/** What `npm ci` gives is here already where these tests run: only strict mode fetches it all again. */
function install(): void {
  if (process.env.ALGOBRAIN_TEST_STRICT === "1") {
    execute("npm ci --ignore-scripts");
    return;
  }
  console.warn(
    "not run: npm ci of the clean folder (only in strict mode); the installed modules are linked",
  );
  execFileSync("cp", ["-al", join(ROOT, "node_modules"), join(build, "node_modules")]);
}

function run(step: string): void {
  if (step.startsWith("npm ci")) install();
  else execute(step);
}

function execute(step: string): void {
  const [name, ...words] = step.split(" ");
  const done = spawnSync(name!, words, {
    ...{ cwd: build, encoding: "utf8", timeout: STEP_MS },
    env: { ...process.env, NODE_ENV: "" },
  });
  if (done.status !== 0) throw new Error(`${step}: ${done.stdout}${done.stderr}`);
}

function program(...words: string[]) {
  return spawnSync(process.execPath, ["infra/docker/entry.mjs", ...words], {
    ...{ cwd: app, encoding: "utf8", timeout: 60_000 },
    env: {
      PATH: process.env.PATH,
      HOME: scratch,
      ALGOBRAIN_HOME: join(scratch, "home-of-commands"),
    },
  });
}

async function untilServing(api: ChildProcess, port: number): Promise<void> {
  let said = "";
  for (const stream of [api.stdout, api.stderr])
    stream?.on("data", (chunk: Buffer) => {
      said = `${said}${chunk}`.slice(-4_000);
    });
  await until(async () => {
    if (api.exitCode !== null) throw new Error(`the API ended: ${said}`);
    const answer = await fetch(`http://127.0.0.1:${port}/health/live`).catch(() => null);
    return answer?.status === 200;
  }, "the API answers");
}
