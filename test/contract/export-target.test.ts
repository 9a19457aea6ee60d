/** Every place of exports keeps the same promises: a folder, and a bucket (a stand-in that misbehaves on demand). */
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createS3Export } from "../../src/adapter/aws-s3-export.js";
import { type StandInS3, startStandInS3 } from "../../src/adapter/stand-in/s3.js";
import { compositeSha256 } from "../../src/base/composite-sha256.js";
import type { ExportTarget } from "../../src/job/export-port.js";
import { createDirectoryExport } from "../../src/runtime/handler/directory-export.js";
import { faultOf, never } from "./delivery.js";

const NAME = "events-job-7.ndjson.gz";
const PART_BYTES_MIN = 100;
const BYTES = [Buffer.alloc(100, 1), Buffer.alloc(150, 2), Buffer.alloc(3, 3)];

let folder: string;
let s3: StandInS3;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "algobrain-export-"));
  s3 = await startStandInS3(["exports"], PART_BYTES_MIN);
});
afterEach(async () => {
  await s3.close();
  await rm(folder, { recursive: true, force: true });
});

const openS3 = (overrides: { bucket?: string; timeoutMs?: number } = {}) =>
  createS3Export({
    ...{ bucket: "exports", prefix: "daily", region: "us-east-1", endpointUrl: s3.url },
    ...{ credentials: { accessKeyId: "test", secretAccessKey: "test" }, timeoutMs: 20_000 },
    ...overrides,
  });

interface Ground {
  open(): ExportTarget;
  /** What is there under a name; null: nothing. */
  read(name: string): Promise<Buffer | null>;
  /** As somebody else would, past the target. */
  loseUploads(): Promise<void>;
}

const GROUNDS: Readonly<Record<string, Ground>> = {
  "a folder": {
    open: () => createDirectoryExport(folder),
    read: async (name) => {
      const isThere = (await readdir(folder)).includes(name);
      return isThere ? readFile(join(folder, name)) : null;
    },
    loseUploads: async () => {
      for (const name of await readdir(folder)) await rm(join(folder, name));
    },
  },
  S3: {
    open: () => openS3(),
    read: async (name) => s3.objects.get(`exports/daily/${name}`)?.bytes ?? null,
    loseUploads: async () => s3.uploads.forget(),
  },
};

const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

interface Sent {
  readonly number: number;
  readonly etag: string;
  readonly sha256: string;
}

async function send(target: ExportTarget, upload: string, number: number): Promise<Sent> {
  const bytes = BYTES[number - 1]!;
  const part = { number, bytes, sha256: sha256(bytes) };
  const { etag } = await target.put(upload, part, never());
  return { number, etag, sha256: part.sha256 };
}

async function sendAll(target: ExportTarget, upload: string): Promise<Sent[]> {
  const sent: Sent[] = [];
  for (const i of BYTES.keys()) sent.push(await send(target, upload, i + 1));
  return sent;
}

describe.each(Object.entries(GROUNDS))("%s", (_, ground) => {
  test("has the file when it is complete and not before, with the checksum of its parts", async () => {
    const target = ground.open();
    const upload = await target.begin(NAME, never());
    expect(await target.parts(upload, never())).toEqual([]);
    const sent = await sendAll(target, upload);
    expect(await ground.read(NAME)).toBeNull();
    const { checksum } = await target.complete(upload, sent, never());
    expect(await ground.read(NAME)).toEqual(Buffer.concat(BYTES));
    expect(checksum).toBe(compositeSha256(sent.map((part) => part.sha256)));
  });

  test("another process takes the upload up again, and replaces a part that it did not know of", async () => {
    const upload = await ground.open().begin(NAME, never());
    const first = await send(ground.open(), upload, 1);
    const second = await send(ground.open(), upload, 2);
    const target = ground.open();
    const lengths = BYTES.slice(0, 2).map((bytes) => bytes.length);
    const arrived = await target.parts(upload, never());
    expect(arrived).toEqual([
      { number: 1, bytes: lengths[0], etag: first.etag },
      { number: 2, bytes: lengths[1], etag: second.etag },
    ]);
    const again = [await send(target, upload, 2), await send(target, upload, 3)];
    await target.complete(upload, [first, ...again], never());
    expect(await ground.read(NAME)).toEqual(Buffer.concat(BYTES));
  });

  test("lists more parts than stand on one page", async () => {
    const target = ground.open();
    const upload = await target.begin(NAME, never());
    await sendAll(target, upload);
    expect((await target.parts(upload, never()))?.map(({ number }) => number)).toEqual([1, 2, 3]);
  });

  test("refuses a part that did not arrive as it was sent", async () => {
    const target = ground.open();
    const upload = await target.begin(NAME, never());
    const part = { number: 1, bytes: BYTES[0]!, sha256: sha256(BYTES[1]!) };
    expect(await faultOf(target.put(upload, part, never()))).toMatchObject({
      ...{ kind: "transient", code: "EXPORT_PART_DAMAGED" },
    });
    expect(await target.parts(upload, never())).toEqual([]);
  });

  test("says so when the upload is gone, whatever is asked of it", async () => {
    const target = ground.open();
    const upload = await target.begin(NAME, never());
    const first = await send(target, upload, 1);
    await ground.loseUploads();
    expect(await target.parts(upload, never())).toBeNull();
    const gone = { kind: "transient", code: "EXPORT_UPLOAD_GONE" };
    expect(await faultOf(send(target, upload, 2))).toMatchObject(gone);
    expect(await faultOf(target.complete(upload, [first], never()))).toMatchObject(gone);
    await target.abort(upload, never());
  });

  test("an aborted upload leaves nothing, also when it is aborted twice", async () => {
    const target = ground.open();
    const upload = await target.begin(NAME, never());
    await send(target, upload, 1);
    await target.abort(upload, never());
    await target.abort(upload, never());
    expect(await target.parts(upload, never())).toBeNull();
    expect(await ground.read(NAME)).toBeNull();
  });

  test("two uploads of one name do not touch one another", async () => {
    const target = ground.open();
    const [old, young] = [await target.begin(NAME, never()), await target.begin(NAME, never())];
    await send(target, old, 1);
    const sent = await sendAll(target, young);
    await target.abort(old, never());
    await target.complete(young, sent, never());
    expect(await ground.read(NAME)).toEqual(Buffer.concat(BYTES));
  });

  test("a small file is replaced whole", async () => {
    const target = ground.open();
    await target.writeSmall("a.json", "{}", never());
    await target.writeSmall("a.json", '{"b":1}', never());
    expect((await ground.read("a.json"))?.toString()).toBe('{"b":1}');
  });
});

describe("a folder", () => {
  const openUpload = async () => {
    const target = createDirectoryExport(folder);
    const upload = await target.begin(NAME, never());
    return { target, upload, sent: await sendAll(target, upload) };
  };

  test("says the digest of the whole, leaves nothing beside it, and is for its owner alone", async () => {
    const { target, upload, sent } = await openUpload();
    const { sha256: whole } = await target.complete(upload, sent, never());
    expect(whole).toBe(sha256(Buffer.concat(BYTES)));
    expect(await readdir(folder)).toEqual([NAME]);
    expect((await stat(join(folder, NAME))).mode & 0o777).toBe(0o600);
  });

  test("bytes that were changed on disk never get the file's name; the parts before them stay", async () => {
    const { target, upload, sent } = await openUpload();
    const path = join(folder, `${upload}.part`);
    const bytes = await readFile(path);
    bytes[120] = 9;
    await writeFile(path, bytes);
    expect(await faultOf(target.complete(upload, sent, never()))).toMatchObject({
      ...{ kind: "transient", code: "EXPORT_PART_DAMAGED" },
    });
    expect(await target.parts(upload, never())).toHaveLength(1);
    const again = [await send(target, upload, 2), await send(target, upload, 3)];
    await target.complete(upload, [sent[0]!, ...again], never());
    expect(await readFile(join(folder, NAME))).toEqual(Buffer.concat(BYTES));
  });

  test("what was cut off in the midst of a part is not counted, and written again", async () => {
    const { target, upload, sent } = await openUpload();
    const path = join(folder, `${upload}.part`);
    await writeFile(path, (await readFile(path)).subarray(0, 249));
    expect(await target.parts(upload, never())).toHaveLength(1);
    const again = [await send(target, upload, 2), await send(target, upload, 3)];
    await target.complete(upload, [sent[0]!, ...again], never());
    expect(await readFile(join(folder, NAME))).toEqual(Buffer.concat(BYTES));
  });

  test("a completion whose answer was lost is repeated, but not with another's file", async () => {
    const { target, upload, sent } = await openUpload();
    const first = await target.complete(upload, sent, never());
    expect(await target.parts(upload, never())).toBeNull();
    expect(await target.complete(upload, sent, never())).toEqual(first);
    const bytes = await readFile(join(folder, NAME));
    await writeFile(join(folder, NAME), bytes.fill(9, 120, 121));
    expect(await faultOf(target.complete(upload, sent, never()))).toMatchObject({
      code: "EXPORT_UPLOAD_GONE",
    });
  });

  test("a place that is no folder is a transient fault with its path", async () => {
    const file = join(folder, "file");
    await writeFile(file, "");
    expect(await faultOf(createDirectoryExport(file).begin(NAME, never()))).toMatchObject({
      ...{ kind: "transient", code: "EXPORTS_FOLDER_UNUSABLE" },
      message: expect.stringContaining(file),
    });
  });
});

describe("S3", () => {
  const openUpload = async () => {
    const target = openS3();
    const upload = await target.begin(NAME, never());
    return { target, upload, sent: await sendAll(target, upload) };
  };

  test("a part whose connection was cut is sent again", async () => {
    const target = openS3();
    const upload = await target.begin(NAME, never());
    s3.misbehave({ kind: "cut-request" });
    expect(await faultOf(send(target, upload, 1))).toMatchObject({
      ...{ kind: "transient", code: "S3_UNREACHABLE" },
    });
    const sent = await sendAll(target, upload);
    await target.complete(upload, sent, never());
    expect(s3.objects.get(`exports/daily/${NAME}`)?.bytes).toEqual(Buffer.concat(BYTES));
  });

  test("a completion whose answer was lost is known by the object's checksum", async () => {
    const { target, upload, sent } = await openUpload();
    s3.misbehave({ kind: "drop-answer" });
    expect(await faultOf(target.complete(upload, sent, never()))).toMatchObject({
      code: "S3_UNREACHABLE",
    });
    const { checksum } = await target.complete(upload, sent, never());
    expect(checksum).toBe(compositeSha256(sent.map((part) => part.sha256)));
    expect(s3.uploads.open()).toEqual([]);
  });

  test("another's object under the same name is not taken for ours", async () => {
    const { target, upload, sent } = await openUpload();
    s3.uploads.forget();
    s3.place(`exports/daily/${NAME}`, "somebody else's");
    expect(await faultOf(target.complete(upload, sent, never()))).toMatchObject({
      code: "EXPORT_UPLOAD_GONE",
    });
  });

  test("an answer of 200 that says failed in its body is a failure", async () => {
    const { target, upload, sent } = await openUpload();
    const body =
      '<?xml version="1.0" encoding="UTF-8"?><Error><Code>InternalError</Code><Message>again</Message></Error>';
    const answer = { status: 200, headers: { "content-type": "application/xml" }, body };
    s3.misbehave({ kind: "answer", answer });
    expect(await faultOf(target.complete(upload, sent, never()))).toMatchObject({
      kind: "transient",
    });
    await target.complete(upload, sent, never());
  });

  test("silence ends by the deadline, and a stopped caller is not kept", async () => {
    s3.misbehave({ kind: "silence" });
    const hasty = openS3({ timeoutMs: 3_000 });
    expect(await faultOf(hasty.begin(NAME, never()))).toMatchObject({ code: "S3_TIMED_OUT" });
    expect(await faultOf(openS3().begin(NAME, AbortSignal.abort()))).toMatchObject({
      code: "S3_ABORTED",
    });
  });

  test("a bucket that is not there is data, and no upload that is gone", async () => {
    expect(await faultOf(openS3({ bucket: "other" }).begin(NAME, never()))).toMatchObject({
      ...{ kind: "data", code: "S3_REFUSED" },
    });
  });
});
