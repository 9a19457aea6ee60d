/**
 * Runbooks that publish, through the real executor and adapter against an emulator of AWS: a registry, a bucket and a CDN
 * with real requests and real state. What a container engine does is said by the test: none runs here.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import buildAndPushImages from "../../../runbooks/build-and-push-images.js";
import deployFrontend from "../../../runbooks/deploy-frontend.js";
import { createShell } from "../../../src/adapter/shell.js";
import type { Shell } from "../../../src/runbook/port.js";
import { makeAwsPlace } from "../../support/aws-world-place.js";
import { findMoto, NEEDS_MOTO } from "../../support/moto.js";
import { expectedShell, rehearse } from "../../support/runbook.js";
import { makeDistribution } from "../aws/moto-estate.js";
import { MOTO_INVALIDATED, MotoGround } from "./moto-ground.js";

const program = findMoto();
const place = makeAwsPlace({ distributionId: null });
const NEXT_TAG = "b".repeat(40);
const CHECKOUT = "/srv/checkout";
const IMAGE = `${place.account}.dkr.ecr.${place.region}.amazonaws.com/algobrain-workers:${NEXT_TAG}`;

const git = (...words: string[]) => ["git", "-C", CHECKOUT, ...words];
const CLEAN = [
  { argv: git("rev-parse", "--verify", "HEAD"), stdout: NEXT_TAG },
  { argv: git("status", "--porcelain") },
];
const BUILD = [
  ...["docker", "build", "--file", `${CHECKOUT}/infra/docker/Dockerfile`, "--target", "workers"],
  ...["--build-arg", `COMMIT=${NEXT_TAG}`, "--tag", IMAGE, CHECKOUT],
];
const PUSH = ["docker", "push", IMAGE];

let moto: MotoGround;

/** Its `docker push` brings the image into the emulator's registry, and everything else is expected word by word. */
function engine(commands: Parameters<typeof expectedShell>[0]): Shell & { unmet(): string[] } {
  const shell = expectedShell(commands);
  const run: Shell["run"] = async (argv, options) => {
    const result = await shell.run(argv, options);
    if (argv[1] === "push") await moto.pushImage("workers", NEXT_TAG);
    return result;
  };
  return { ...shell, run };
}

const build = (services: string, shell: Shell) =>
  rehearse(moto.ground, "build-and-push-images", {
    params: { tag: NEXT_TAG, folder: CHECKOUT, services },
    ...{ shell, other: moto.other() },
  });

describe.skipIf(program === null)(`${NEEDS_MOTO} runbooks that publish`, () => {
  beforeAll(async () => {
    moto = await MotoGround.open(program ?? "", place, [buildAndPushImages, deployFrontend]);
    for (const name of ["api", "orchestrator"]) await moto.pushImage(name, NEXT_TAG);
  });
  afterAll(() => moto?.close());

  test("X-20: an image that the registry has is found by its digest and never built again", async () => {
    const { run: ended } = await build("api,orchestrator", expectedShell(CLEAN));
    expect(ended).toMatchObject({ status: "succeeded", plan: { changes: [] } });
    expect(ended.outcome).toMatch(/^api sha256:[0-9a-f]{64}, orchestrator sha256:/);
  });

  test("HB-op-06, X-20: what the registry has not is built and pushed under the commit, and is there by its digest", async () => {
    const shell = engine([...CLEAN, { argv: BUILD }, { argv: PUSH }]);
    const { run: ended } = await build("api,workers", shell);
    expect(ended).toMatchObject({
      ...{ status: "succeeded", verified: true },
      plan: { changes: [`build and push workers as ${NEXT_TAG}`] },
    });
    expect(shell.unmet()).toEqual([]);
    const { digest } = (await moto.open().aws.image("algobrain-workers", NEXT_TAG)) ?? {};
    expect(ended.outcome).toContain(`workers ${digest}`);
  });

  test("X-22: the frontend of a real folder is in its bucket, the pages last, and the CDN asks for them anew", async () => {
    const distributionId = await makeDistribution(moto.server.url, "dashboard.algobrain.doctor");
    moto.place = { ...place, distributionId };
    const folder = await makeFrontend();
    const { run: ended, steps } = await rehearse(moto.ground, "deploy-frontend", {
      params: { env: "production", folder },
      ...{ shell: createShell({ redact: (text) => text }), other: moto.other() },
    });
    await rm(folder, { recursive: true });
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    expect(moto.asked("PutObject").map(({ target }) => target)).toEqual([
      "algobrain-frontend-prod/assets/app-4f3c2a1b.js",
      "algobrain-frontend-prod/index.html",
    ]);
    expect(moto.asked("CreateInvalidation")).toMatchObject([
      { status: "ok", target: distributionId },
    ]);
    const invalidating = steps.find(({ name }) => name === "invalidate the pages");
    expect(invalidating?.output).toContain("2 paths are asked for anew");
    moto.place = place;
  });

  test("what the emulator does not know: Amazon's word for an invalidation that is done. When this fails it has learned it", async () => {
    const distribution = await makeDistribution(moto.server.url, "other.algobrain.doctor");
    const request = { distribution, paths: ["/index.html"], reference: "run-1" };
    const id = await moto.open().aws.invalidate(request);
    expect(await moto.invalidated(distribution, id)).toBe(MOTO_INVALIDATED);
    expect(await moto.openPlain().aws.invalidation(distribution, id)).toBe("InProgress");
  });
});

async function makeFrontend(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "algobrain-frontend-"));
  await mkdir(join(folder, "assets"));
  for (const file of ["index.html", "assets/app-4f3c2a1b.js"])
    await writeFile(join(folder, file), file);
  return folder;
}
