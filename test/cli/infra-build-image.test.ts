import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { JsonObject } from "../../src/base/json.js";
import type { CommandIo } from "../../src/cli/command.js";
import { runBuildImage } from "../../src/cli/infra/build-image.js";

const ROOT = join(import.meta.dirname, "..", "..");

let root: string;
let registry: { readonly url: string; close(): Promise<unknown> } | null;

/** Answers every question alike. */
async function startRegistry(answer: JsonObject) {
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      response.writeHead(200, { "content-type": "application/x-amz-json-1.1" });
      response.end(JSON.stringify(answer));
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.closeAllConnections();
    await once(server.close(), "close");
  };
  return { url: `http://127.0.0.1:${port}`, close };
}

beforeEach(async () => {
  registry = null;
  // The client library looks for keys where it will: in the environment of the process.
  vi.stubEnv("AWS_ACCESS_KEY_ID", "testing");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "testing");
  root = await mkdtemp(join(tmpdir(), "infra-build-"));
  const checkout = join(root, "checkout");
  await mkdir(join(checkout, "runbooks"), { recursive: true });
  await cp(join(ROOT, "policies"), join(checkout, "policies"), { recursive: true });
  await cp(join(ROOT, "runbooks/catalogue.yaml"), join(checkout, "runbooks/catalogue.yaml"));
  git("init", "--quiet");
  git("add", "--all");
  git("-c", "user.name=ci", "-c", "user.email=ci@example.test", "commit", "--quiet", "-m", "one");
  await mkdir(join(root, "programs"));
  const docker = join(root, "programs", "docker");
  await writeFile(docker, `#!/bin/sh\necho "$@" >>'${join(root, "calls")}'\n`);
  await chmod(docker, 0o755);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await registry?.close();
  await rm(root, { recursive: true, force: true });
});

function git(...words: string[]): string {
  return execFileSync("git", words, { cwd: join(root, "checkout"), encoding: "utf8" }).trim();
}

async function build(...words: string[]) {
  const out: string[] = [];
  const io: CommandIo = {
    ...{ out: (line) => out.push(line), err: () => {}, progress: () => {}, terminal: null },
    env: {
      PATH: `${join(root, "programs")}:${process.env.PATH}`,
      ALGOBRAIN_HOME: join(root, "home"),
      ...(registry === null ? {} : { AWS_ENDPOINT_URL: registry.url }),
    },
    ...{ cwd: join(root, "checkout"), packageRoot: ROOT, actor: "cli:test" },
  };
  return { status: await runBuildImage(words, io), out };
}

describe("infra build-image (HB-cli-07)", () => {
  test("calls the image by the commit it is built of, and by nothing that moves (X-20)", async () => {
    const commit = git("rev-parse", "HEAD");
    const { status, out } = await build("--service", "workers");
    expect({ status, out }).toEqual({ status: 0, out: [`algobrain-workers:${commit}`] });
    const calls = await readFile(join(root, "calls"), "utf8");
    expect(calls.trim()).toBe(
      `build --file infra/docker/Dockerfile --target workers --build-arg COMMIT=${commit} --tag algobrain-workers:${commit} .`,
    );
    expect(calls).not.toContain("latest");
  });

  test("refuses a checkout that is not its commit: the name would be a lie", async () => {
    await writeFile(join(root, "checkout", "new.txt"), "x");
    await expect(build("--service", "api")).rejects.toMatchObject({ code: "CHECKOUT_NOT_CLEAN" });
  });

  test("what is there before the first attempt was pushed by somebody else; later it was this job", async () => {
    const digest = `sha256:${"a".repeat(64)}`;
    registry = await startRegistry({ imageDetails: [{ imageDigest: digest }] });
    const words = ["--service", "api", "--push"];
    await expect(build(...words, "--attempt", "1")).rejects.toMatchObject({
      code: "IMAGE_TAG_TAKEN",
      message: expect.stringContaining(digest),
    });
    const { status, out } = await build(...words, "--attempt", "2");
    expect(status).toBe(0);
    expect(out.join()).toContain("is there already");
    // Nothing was built or pushed over it.
    await expect(readFile(join(root, "calls"), "utf8")).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("refuses what is no service of ours", async () => {
    await expect(build("--service", "apl")).rejects.toThrow(/apl/);
  });
});
