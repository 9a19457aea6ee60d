/** Every place of bundles keeps the same promises: a folder, and an object in S3 (a stand-in that misbehaves on demand). */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createS3Bundles } from "../../src/adapter/aws-s3.js";
import { type StandInS3, startStandInS3 } from "../../src/adapter/stand-in/s3.js";
import { createBundleFolder, isBundleFolder } from "../../src/runtime/bundle-folder.js";
import type { BundlePlace } from "../../src/runtime/publish-bundle.js";
import { faultOf, never } from "./delivery.js";

const BYTES_MAX = 1_048_576;
const CREDENTIALS = { accessKeyId: "test", secretAccessKey: "test" };

let folder: string;
let s3: StandInS3;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "algobrain-bundles-"));
  s3 = await startStandInS3(["policies"]);
});
afterEach(async () => {
  await s3.close();
  await rm(folder, { recursive: true, force: true });
});

const openS3 = (overrides: { bucket?: string; timeoutMs?: number } = {}) =>
  createS3Bundles({
    ...{ bucket: "policies", key: "prod/current.json", region: "us-east-1" },
    ...{ endpointUrl: s3.url, bytesMax: BYTES_MAX, credentials: CREDENTIALS, timeoutMs: 2_000 },
    ...overrides,
  });

interface Ground {
  open(): BundlePlace;
  /** As somebody else would write it, past all conditions. */
  place(text: string): Promise<void>;
  /** Texts that are kept of each revision. */
  kept(): Promise<string[]>;
}

const GROUNDS: Readonly<Record<string, Ground>> = {
  "a folder": {
    open: () => createBundleFolder(folder),
    place: (text) => writeFile(join(folder, "current.json"), text),
    kept: async () => {
      const names = await readdir(join(folder, "revisions"));
      return Promise.all(
        names.sort().map((name) => readFile(join(folder, "revisions", name), "utf8")),
      );
    },
  },
  S3: {
    open: () => openS3(),
    place: async (text) => void s3.place("policies/prod/current.json", text),
    kept: async () =>
      [...s3.objects].flatMap(([path, { text }]) => (path.includes(".d/") ? [text] : [])),
  },
};

const put = (place: BundlePlace, revision: number, expect: string | null, text = `r${revision}`) =>
  place.put({ text, revision }, expect, never());

describe.each(Object.entries(GROUNDS))("%s", (_, ground) => {
  test("holds nothing at first; then the newest, until it is known; and every revision", async () => {
    const place = ground.open();
    expect(await place.fetch(null, never())).toBeNull();
    const first = await put(place, 1, null);
    expect(await place.fetch(null, never())).toEqual({ text: "r1", tag: first.tag });
    expect(await place.fetch(first.tag, never())).toBeNull();
    const second = await put(place, 2, first.tag);
    expect(await place.fetch(first.tag, never())).toEqual({ text: "r2", tag: second.tag });
    expect(await ground.kept()).toEqual(["r1", "r2"]);
  });

  test("takes nothing on top of what its writer has not seen", async () => {
    const place = ground.open();
    const first = await put(place, 1, null);
    expect(await faultOf(put(place, 1, null, "other"))).toMatchObject({
      ...{ kind: "refused", code: "POLICY_PUBLISH_RACED" },
    });
    await put(place, 2, first.tag);
    expect(await faultOf(put(place, 2, first.tag, "late"))).toMatchObject({
      code: "POLICY_PUBLISH_RACED",
    });
    expect(await place.fetch(null, never())).toMatchObject({ text: "r2" });
  });

  test("of many who publish at once one wins, and the next may go on", async () => {
    const place = ground.open();
    const first = await put(place, 1, null);
    const writers = Array.from({ length: 8 }, (_, i) => put(place, 2, first.tag, `by ${i}`));
    const ended = await Promise.allSettled(writers);
    const won = ended.flatMap(({ status }, i) => (status === "fulfilled" ? [`by ${i}`] : []));
    expect(won).toHaveLength(1);
    const present = await place.fetch(null, never());
    expect(present?.text).toBe(won[0]);
    await put(place, 3, present!.tag);
    expect(await place.fetch(null, never())).toMatchObject({ text: "r3" });
  });

  test("of a larger object it reads one byte more than may be", async () => {
    await ground.place("x".repeat(BYTES_MAX + 50_000));
    const found = await ground.open().fetch(null, never());
    expect(found?.text).toHaveLength(BYTES_MAX + 1);
  });
});

describe("a folder", () => {
  test("is one of bundles once something was published", async () => {
    expect(await isBundleFolder(folder)).toBe(false);
    expect(await isBundleFolder(join(folder, "none"))).toBe(false);
    await put(createBundleFolder(folder), 1, null);
    expect(await isBundleFolder(folder)).toBe(true);
  });

  test("a publisher that ended half way blocks nobody: the next brings its revision to light", async () => {
    const place = createBundleFolder(folder);
    const first = await put(place, 1, null);
    await writeFile(join(folder, "revisions", "2.json"), "left behind");
    expect(await faultOf(put(place, 2, first.tag))).toMatchObject({ code: "POLICY_PUBLISH_RACED" });
    const present = await place.fetch(null, never());
    expect(present?.text).toBe("left behind");
    await put(place, 3, present!.tag);
    expect(await place.fetch(null, never())).toMatchObject({ text: "r3" });
    // Nothing but what is meant to be there.
    expect((await readdir(folder)).sort()).toEqual(["current.json", "revisions"]);
  });

  test("that cannot be written says which", async () => {
    await writeFile(join(folder, "revisions"), "a file");
    expect(await faultOf(put(createBundleFolder(folder), 1, null))).toMatchObject({
      ...{ kind: "transient", code: "BUNDLE_FOLDER_UNUSABLE" },
      message: expect.stringContaining(folder),
    });
  });
});

describe("S3", () => {
  test("names the version that it made, and keeps the revision first", async () => {
    expect(await put(openS3(), 1, null)).toMatchObject({ version: "v2" });
    expect([...s3.objects.keys()]).toEqual([
      expect.stringMatching(/^policies\/prod\/current\.json\.d\/1-[0-9a-f]{8}\.json$/),
      "policies/prod/current.json",
    ]);
  });

  test("an answer lost on its way is found to be ours", async () => {
    const honest = { kind: "answer", answer: { status: 412, body: "" } } as const;
    const place = openS3();
    await put(place, 1, null);
    const { tag } = (await place.fetch(null, never()))!;
    s3.place("policies/prod/current.json", "r2");
    s3.misbehave(
      { kind: "answer", answer: { status: 200, headers: { etag: '"x"' }, body: "" } },
      honest,
    );
    expect(await put(place, 2, tag)).toMatchObject({ version: null });
  });

  test.each([
    [403, "waiting", "S3_UNAUTHORIZED"],
    [503, "transient", "S3_FAILED"],
    [429, "waiting", "S3_RATE_LIMITED"],
    [400, "data", "S3_REFUSED"],
    [301, "data", "S3_REDIRECTED"],
  ])("%d is %s %s", async (status, kind, code) => {
    s3.misbehave({ kind: "answer", answer: { status, body: "" } });
    expect(await faultOf(openS3().fetch(null, never()))).toMatchObject({ kind, code });
  });

  test("a bucket that is not there is no empty one", async () => {
    expect(await faultOf(openS3({ bucket: "other" }).fetch(null, never()))).toMatchObject({
      ...{ kind: "data", code: "S3_REFUSED" },
    });
  });

  test("silence ends by our deadline, and by the caller's", async () => {
    s3.misbehave({ kind: "silence" }, { kind: "silence" });
    const hasty = openS3({ timeoutMs: 300 });
    expect(await faultOf(hasty.fetch(null, never()))).toMatchObject({ code: "S3_TIMED_OUT" });
    const stopped = AbortSignal.abort();
    expect(await faultOf(openS3().fetch(null, stopped))).toMatchObject({ code: "S3_ABORTED" });
  });

  test("a connection cut is transient", async () => {
    s3.misbehave({ kind: "drop-answer" });
    expect(await faultOf(openS3().fetch(null, never()))).toMatchObject({
      ...{ kind: "transient", code: "S3_UNREACHABLE" },
    });
  });
});
